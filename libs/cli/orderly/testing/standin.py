"""A stand-in for a service: answers on the sockets it was given, drains on SIGTERM and when its parent is gone.

A file `<name>.broken` in the data folder makes it end at once, `<name>.unready` fails its readiness.
"""

import os
import select
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAME = Path(__file__).parent.name
DATA = Path(os.environ["ORDERLY_DATA"])


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        unready = self.path == "/readyz" and (DATA / f"{NAME}.unready").exists()
        body = b'{"status":"failing","checks":{"log":"out of reach"}}' if unready else b"{}"
        self.send_response(503 if unready else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def serve(fd: int) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer, bind_and_activate=False)
    server.socket = socket.socket(fileno=fd)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    if (DATA / f"{NAME}.broken").exists():
        sys.exit(f"{NAME}: the disk is made of cheese")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    for fd in ("ORDERLY_API_FD", "ORDERLY_ADMIN_FD"):
        serve(int(os.environ[fd]))
    sys.stderr.write(f'{{"service":"{NAME}","event":"started"}}\n')
    parent = int(os.environ["ORDERLY_PARENT_FD"])
    while not select.select([parent], [], [], 0.05)[0]:
        pass  # a signal that the kernel gave to another thread is handled when this one wakes


if __name__ == "__main__":
    main()
