"""The demo's application, packed into its image; proa itself never imports this file.

`app.py back` keeps a count in memory and answers JSON; `app.py front` asks it by its Service's DNS name and makes
a page.
"""

from __future__ import annotations

import html
import itertools
import json
import os
import signal
import socket
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 8080
BACK = os.environ.get("BACK_URL", "http://back:8080/")
PAGE = """<!doctype html>
<title>proa demo</title>
<h1>Hello from {front}</h1>
<p>The back end {back} has counted {count} visits.</p>
"""
VISITS = itertools.count(1)


class Tier(BaseHTTPRequestHandler):
    """Answers GET with what `page` makes; /healthz for the probes."""

    content_type = "text/plain"

    def page(self) -> str:
        raise NotImplementedError

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if self.path != "/healthz":
            super().log_request(code, size)

    def do_GET(self) -> None:
        try:
            status, text = 200, "ok\n" if self.path == "/healthz" else self.page()
        except OSError as error:
            status, text = 502, f"{BACK}: {error}\n"
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{self.content_type}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Back(Tier):
    content_type = "application/json"

    def page(self) -> str:
        return json.dumps({"pod": socket.gethostname(), "count": next(VISITS)}) + "\n"


class Front(Tier):
    content_type = "text/html"

    def page(self) -> str:
        with urllib.request.urlopen(BACK, timeout=5) as answer:
            found = json.load(answer)
        return PAGE.format(
            front=html.escape(socket.gethostname()), back=html.escape(found["pod"]), count=found["count"]
        )


def main() -> None:
    tiers = {"back": Back, "front": Front}
    server = ThreadingHTTPServer(("", PORT), tiers[sys.argv[1]])
    # A container's first process gets no default signal handling.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"{sys.argv[1]} listens on {PORT}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
