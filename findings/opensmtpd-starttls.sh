#!/bin/bash
# OpenSMTPD 6.8.0p2 of Debian 12 offers STARTTLS and can do it with no key, neither of RSA nor of a curve.
#
# A good memory says: a mail server that reads its certificate and key without a word, starts, and offers
# STARTTLS can do it. Here: its processes pass the key to each other in a way that OpenSSL 3, which Debian 12 has,
# does not know any more (`missing private key` with `-T all`); every handshake ends with the alert `internal
# error`, whatever the version of TLS. A sender that insists on TLS never delivers, and one that does not sends in
# the clear. Upstream: OpenSMTPD/OpenSMTPD#1171; later versions can.
#
# Needs: root, Debian 12 with its mirror, apt-get, dpkg-deb, unshare, python3, openssl. Prints what was found, and
# `AS FOUND` if it is still so.
set -euo pipefail
DIR=$(mktemp -d); SERVER=
end() { if [ -n "$SERVER" ]; then kill -9 "$SERVER" 2>/dev/null || true; wait "$SERVER" 2>/dev/null || true; fi; }
trap 'end; rm -rf "$DIR"' EXIT
cd "$DIR"
PACKAGES=$(apt-get install -s -q --no-install-recommends opensmtpd | awk '/^Inst (opensmtpd|lib)/ {print $2}')
xargs apt-get download -q -o APT::Sandbox::User=root <<<"$PACKAGES" >/dev/null
for it in *.deb; do dpkg-deb -x "$it" root; done
LIBS=$DIR/root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo x86_64-linux-gnu)
{ cat /etc/passwd; for it in opensmtpd:x:64001 opensmtpq:x:64002; do echo "$it:64001::/:/bin/false"; done; } >passwd
{ cat /etc/group; echo opensmtpd:x:64001:; echo opensmtpq:x:64002:; } >group
openssl req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -out rsa.pem -days 2 -subj /CN=localhost 2>/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ec.key -out ec.pem -days 2 \
  -subj /CN=localhost 2>/dev/null
chmod 600 ./*.key
PORT=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')

# The server in mounts of its own: it wants users and folders that this machine need not have.
serve() {
  cat >smtpd.conf <<CONF
pki mail cert "$DIR/$1.pem"
pki mail key "$DIR/$1.key"
listen on 127.0.0.1 port $PORT hostname localhost tls pki mail
action keep maildir "$DIR/mail"
match from any for any action keep
CONF
  unshare --mount --pid --fork --kill-child sh -c '
    mount --bind passwd /etc/passwd; mount --bind group /etc/group
    for it in /var/lib /var/spool /run; do mount -t tmpfs -o mode=755 tmpfs "$it"; done
    mkdir -p /var/lib/opensmtpd/empty
    LD_LIBRARY_PATH=$1 root/usr/sbin/smtpd -d -f "$0/smtpd.conf"
    exit $?' "$DIR" "$LIBS" >"$1.log" 2>&1 &
  SERVER=$!
  for _ in {1..100}; do (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null && break; sleep 0.1; done
}

cat >ask.py <<'PY'
import smtplib, ssl, sys
for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
    server = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=20)
    server.ehlo()
    offered = "offered" if server.has_extn("starttls") else "not offered"
    context = ssl._create_unverified_context()
    context.minimum_version = context.maximum_version = version
    try:
        server.starttls(context=context)
        said = "done"
    except ssl.SSLError as error:
        said = error.reason
    print(f"{sys.argv[2]}, {version.name}: {offered}, {said}")
PY
for it in rsa ec; do serve "$it"; python3 ask.py "$PORT" "$it"; end; done >found
FOUND=$(<found)
echo "$FOUND"
WANTED='rsa, TLSv1_2: offered, TLSV1_ALERT_INTERNAL_ERROR
rsa, TLSv1_3: offered, TLSV1_ALERT_INTERNAL_ERROR
ec, TLSv1_2: offered, TLSV1_ALERT_INTERNAL_ERROR
ec, TLSv1_3: offered, TLSV1_ALERT_INTERNAL_ERROR'
[ "$FOUND" = "$WANTED" ] && echo "AS FOUND" || { echo "OTHERWISE: it was"; echo "$WANTED"; exit 1; }
