"""`python small_server.py PORT [--stubborn] [--die WORDS]`: answers every GET with 200, like a healthy service."""

import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


if "--die" in sys.argv:
    sys.stderr.write(sys.argv[-1])
    sys.exit(3)
if "--stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
HTTPServer(("127.0.0.1", int(sys.argv[1])), Healthy).serve_forever()
