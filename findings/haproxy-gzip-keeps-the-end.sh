#!/bin/bash
# HAProxy 2.6.12 (Debian 12), when it packs with `compression algo gzip`, keeps the last bits of what it was given
# until it is given more: the end of an event of a stream comes with the next event.
#
# A good memory says: who packs a stream on the way flushes after each piece (zlib's Z_SYNC_FLUSH), so that all of
# it can be unpacked at the other end. Here: the packer sends whole bytes only and keeps the bits that
# are left over, and with them the last characters. Of an event of a stream that is the empty line that ends it, so a browser's EventSource
# hears each event one event late. `Cache-Control: no-transform` makes HAProxy pass the stream as it is.
#
# Needs: Debian with its mirror, apt-get, dpkg-deb, python3. Prints what was found, and `AS FOUND` if it is still so.
set -euo pipefail
DIR=$(mktemp -d); SERVER=
trap 'if [ -n "$SERVER" ]; then kill "$SERVER" 2>/dev/null || true; wait "$SERVER" 2>/dev/null || true; fi; rm -rf "$DIR"' EXIT
cd "$DIR"
LIBS=$(apt-get install -s -q --no-install-recommends haproxy | awk '/^Inst (haproxy|lib)/ {print $2}')
xargs apt-get download -q -o APT::Sandbox::User=root <<<"$LIBS" >/dev/null
for it in *.deb; do dpkg-deb -x "$it" root; done
read -r BACK FRONT < <(python3 - <<'PY'
import socket
all = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*[it.getsockname()[1] for it in all])
PY
)
cat > haproxy.cfg <<CFG
defaults
  mode http
  timeout connect 5s
  timeout client 1m
  timeout server 1m
frontend front
  bind 127.0.0.1:$FRONT
  compression algo gzip
  default_backend back
backend back
  server back 127.0.0.1:$BACK
CFG
LD_LIBRARY_PATH=$(echo root/usr/lib/*-linux-gnu) root/usr/sbin/haproxy -db -f haproxy.cfg 2>haproxy.log & SERVER=$!
for _ in {1..100}; do (exec 3<>"/dev/tcp/127.0.0.1/$FRONT") 2>/dev/null && break; sleep 0.1; done

cat > ask.py <<'PY'
import http.server, socket, sys, threading, time, zlib
back, front = map(int, sys.argv[1:])
EVENT = b"data: event\n\n"

class Back(http.server.BaseHTTPRequestHandler):
    """Two events, the second three seconds after the first."""
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        if "plain" in self.path: self.send_header("Cache-Control", "no-transform")
        self.end_headers()
        for pause in 3, 0:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(EVENT), EVENT))
            time.sleep(pause)
        self.wfile.write(b"0\r\n\r\n")
    def log_message(self, *_): pass

def chunks(body):
    while b"\r\n" in body:
        size, body = body.split(b"\r\n", 1)
        yield body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]

server = http.server.ThreadingHTTPServer(("127.0.0.1", back), Back)
threading.Thread(target=server.serve_forever, daemon=True).start()
for path in "/", "/plain":
    line = socket.create_connection(("127.0.0.1", front))
    line.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n" % path.encode())
    got, end = b"", time.monotonic() + 1.5
    while (left := end - time.monotonic()) > 0:
        line.settimeout(left)
        try: got += line.recv(65536)
        except TimeoutError: break
    head, body = got.split(b"\r\n\r\n", 1)
    packed = b"content-encoding: gzip" in head.lower()
    body = b"".join(chunks(body))
    text = zlib.decompressobj(31).decompress(body) if packed else body
    print("packed" if packed else "plain", "after a second and a half:", text)
PY
FOUND=$(python3 ask.py "$BACK" "$FRONT")
echo "$FOUND"
WANTED="packed after a second and a half: b'data: event'
plain after a second and a half: b'data: event\\n\\n'"
[ "$FOUND" = "$WANTED" ] && echo "AS FOUND" || { echo "OTHERWISE: it was"; echo "$WANTED"; exit 1; }
