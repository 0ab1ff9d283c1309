#!/bin/bash
# Caddy 2.6.2 with `encode gzip`, and nginx 1.22.1 over HTTP/2 (both of Debian 12), send not even the head of an
# answer until the first byte of its body has come.
#
# A good memory says: who streams events must keep a proxy from buffering the body (`X-Accel-Buffering: no`,
# `flush_interval -1`, which Caddy does by itself for text/event-stream), and the head goes out at once. Here: a
# server that has answered 200 and has nothing to say yet is not heard at all, so a browser's EventSource does
# not open until the first event, or the first line that keeps it alive. Caddy without `encode`, and nginx over
# HTTP/1.1, send the head. A comment as the first line of each stream helps with both.
#
# Needs: Debian with its mirror, apt-get, dpkg-deb, python3, curl with HTTP/2, openssl. Prints what was found, and
# `AS FOUND` if it is still so.
set -euo pipefail
DIR=$(mktemp -d); PIDS=()
trap 'for it in "${PIDS[@]}"; do kill "$it" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$DIR"' EXIT
cd "$DIR"
apt-get download -q -o APT::Sandbox::User=root caddy nginx libpcre2-8-0 >/dev/null
for it in *.deb; do dpkg-deb -x "$it" root; done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 \
  -subj /CN=localhost 2>/dev/null
read -r BACK CADDY PLAIN NGINX < <(python3 - <<'PY'
import socket
all = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
print(*[it.getsockname()[1] for it in all])
PY
)

# Answers at once with a head, and with an event five seconds later; `?first` with a comment before.
cat > back.py <<PY
import http.server, time
class Back(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        for pair in [("Content-Type", "text/event-stream"), ("X-Accel-Buffering", "no"), ("Connection", "close")]:
            self.send_header(*pair)
        self.end_headers()
        if "first" in self.path: self.wfile.write(b": live\n\n")
        time.sleep(5)
        self.wfile.write(b"data: event\n\n")
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", $BACK), Back).serve_forever()
PY
cat > Caddyfile <<CADDY
{
  admin off
  auto_https off
}
http://:$CADDY {
  bind 127.0.0.1
  encode gzip
  reverse_proxy 127.0.0.1:$BACK
}
http://:$PLAIN {
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:$BACK
}
CADDY
cat > nginx.conf <<NGINX
daemon off; master_process off; error_log stderr; pid $DIR/pid;
events {}
http {
  access_log off; client_body_temp_path $DIR/a; proxy_temp_path $DIR/b; fastcgi_temp_path $DIR/c;
  uwsgi_temp_path $DIR/d; scgi_temp_path $DIR/e;
  server {
    listen 127.0.0.1:$NGINX ssl http2;
    ssl_certificate $DIR/cert.pem; ssl_certificate_key $DIR/key.pem;
    location / { proxy_pass http://127.0.0.1:$BACK; proxy_http_version 1.1; }
  }
}
NGINX
python3 back.py 2>/dev/null & PIDS+=($!)
HOME=$DIR root/usr/bin/caddy run --config Caddyfile --adapter caddyfile 2>caddy.log & PIDS+=($!)
LD_LIBRARY_PATH=$DIR/root/usr/lib/x86_64-linux-gnu root/usr/sbin/nginx -c "$DIR/nginx.conf" 2>nginx.log & PIDS+=($!)
for port in $BACK $CADDY $PLAIN $NGINX; do
  for _ in {1..100}; do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.1; done
done

# Whether the head came within two seconds and a half.
head_of() { # what, then how it is asked
  local what=$1; shift
  rm -f head
  timeout 2.5 curl -sk -N -D head -o body -H 'Accept-Encoding: gzip' "$@" || true
  if grep -q '^HTTP.* 200' head 2>/dev/null; then
    echo "$what: the head came"
  else
    echo "$what: nothing came"
  fi
}
FOUND=$(
  head_of 'Caddy with encode' "http://127.0.0.1:$CADDY/"
  head_of 'Caddy without' "http://127.0.0.1:$PLAIN/"
  head_of 'Caddy with encode, a comment first' "http://127.0.0.1:$CADDY/?first"
  head_of 'nginx over HTTP/2' --http2 "https://127.0.0.1:$NGINX/"
  head_of 'nginx over HTTP/1.1' --http1.1 "https://127.0.0.1:$NGINX/"
  head_of 'nginx over HTTP/2, a comment first' --http2 "https://127.0.0.1:$NGINX/?first"
)
echo "$FOUND"
WANTED='Caddy with encode: nothing came
Caddy without: the head came
Caddy with encode, a comment first: the head came
nginx over HTTP/2: nothing came
nginx over HTTP/1.1: the head came
nginx over HTTP/2, a comment first: the head came'
[ "$FOUND" = "$WANTED" ] && echo "AS FOUND" || { echo "OTHERWISE: it was"; echo "$WANTED"; exit 1; }
