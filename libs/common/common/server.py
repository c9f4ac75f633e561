"""uvicorn as the runtime wants it: on a socket that it is given, behind the guard, signals left alone, able to take leave."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import uvicorn

from common import http_guard

_CLOSE = (b"connection", b"close")


class Server(uvicorn.Server):
    """Serves `app`, over TLS where there is a `context`. Told to end, it finishes what is in flight for `patience` seconds."""

    def __init__(self, app: Any, patience: float, context: ssl.SSLContext | None) -> None:
        config = uvicorn.Config(
            app,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,  # nobody in front of us may say who the caller is
            timeout_graceful_shutdown=max(1, int(patience)),
        )
        super().__init__(config)
        self._context = context

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        listening = [http_guard.listen(self.config, self.server_state, it, self._context) for it in sockets or ()]
        self.servers = list(await asyncio.gather(*listening))
        self.started = True

    def leave(self) -> None:
        """From now on an answer says that its connection ends (RFC 9112 §9.6). Whoever asks now and then is on another one
        soon, maybe at another server; then closing those that are idle takes no request along."""
        self.config.encoded_headers.append(_CLOSE)  # which is looked at once a second
        self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the runtime's, not the server's."""
        yield


def socket_of(fd: int | None, host: str, port: int) -> socket.socket:
    """The one that was passed on, else a new one that listens there."""
    if fd is not None:
        return socket.socket(fileno=fd)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen(1024)
    return sock
