"""One replica of a tiny service: `python -m common.testing.replica FD` answers on a listening socket that it is given.

GET /work                 200 after a few milliseconds
PUT /fault/KIND           from now on: `none`, `slow` (SLOW seconds more), `errors` (500 at once), `hole` (no answer ever)
"""

import asyncio
import json
import os
import random
import socket
import sys
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from common.http_guard import GuardedProtocol

USUAL = 0.004  # seconds, on average
SLOW = 0.4


class Replica:
    """An ASGI application."""

    def __init__(self) -> None:
        self.fault = "none"
        self._dice = random.Random(os.getpid())

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].startswith("/fault/"):
            self.fault = scope["path"].removeprefix("/fault/")
            await self._answer(send, 200)
            return
        if self.fault == "hole":
            await asyncio.Event().wait()
        if self.fault != "errors":
            await asyncio.sleep(self._dice.expovariate(1 / USUAL) + (SLOW if self.fault == "slow" else 0.0))
        await self._answer(send, 500 if self.fault == "errors" else 200)

    async def _answer(self, send: Any, status: int) -> None:
        body = json.dumps({"pid": os.getpid()}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def serve(door: socket.socket) -> None:
    config = uvicorn.Config(Replica(), ws="none", lifespan="off", access_log=False, log_config=None)
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(lambda: GuardedProtocol(config, state, {}), sock=door)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(socket.socket(fileno=int(sys.argv[1]))))
