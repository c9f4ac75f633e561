"""The server takes leave: it still answers whoever asks, and says to each that his connection ends."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from common.server import Server
from common.testing.http import Address, read_reply

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def application(scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def test_one_that_leaves_answers_old_and_new_connections_and_ends_them() -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    server = Server(application, 5.0, None)
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    port = sock.getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    assert "connection" not in (await read_reply(reader))[1]
    server.leave()
    writer.write(REQUEST)
    assert (await read_reply(reader))[1]["connection"] == "close"
    assert await reader.read() == b""
    writer.close()
    newcomer = await Address(port).exchange(REQUEST)
    assert (newcomer.status, newcomer.headers["connection"], newcomer.closed) == (200, "close", True)
    server.should_exit = True
    await serving
