"""Real HTTP for tests: an application on a real socket as the runtime serves it, and a client that can send anything."""

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from common import http_guard
from common.security.identity import CALLER, Identity
from common.security.spiffe import PEER, SpiffeId


@dataclass(frozen=True, slots=True)
class Reply:
    """`closed`: the server ended the connection after it. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    closed: bool

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def is_problem(self) -> bool:
        """RFC 9457 with all members that we promise; others may follow."""
        if self.headers.get("content-type") != "application/problem+json":
            return False
        body = self.json()
        return {"type", "title", "status", "detail", "trace_id"} <= set(body) and bool(body["status"] == self.status)


@dataclass(frozen=True, slots=True)
class Address:
    """`context` is the client's, for a server that speaks TLS."""

    port: int
    scheme: str = "http"
    context: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        """One well-formed request on a connection of its own."""
        lines = [f"{method} {path} HTTP/1.1", "host: test", "connection: close"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body or method in ("POST", "PUT"):
            lines.append(f"content-length: {len(body)}")
        return await self.exchange("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    async def exchange(self, sent: bytes, within: float = 30.0) -> Reply:
        """Send these very bytes, read one answer, and see whether the connection was closed after it."""
        async with asyncio.timeout(within):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context)
            try:
                writer.write(sent)
                status, headers, body = await read_reply(reader)
                try:
                    closed = await asyncio.wait_for(reader.read(1), 0.2) == b""
                except TimeoutError:
                    closed = False
                return Reply(status, headers, body, closed)
            finally:
                writer.close()


async def read_reply(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """The next answer on a connection; a streamed one is read to its end."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    status = int(first.split(" ")[1])
    if status == 304:
        return status, headers, b""
    if headers.get("transfer-encoding") != "chunked":
        return status, headers, await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return status, headers, body


@contextlib.asynccontextmanager
async def serving(app: Any, context: ssl.SSLContext | None = None) -> AsyncIterator[Address]:
    """The application behind the guard on a free port. Leaving the block cuts every connection, as a killed process would."""
    config = uvicorn.Config(app, ws="none", lifespan="off", access_log=False, log_config=None, proxy_headers=False)
    state = ServerState()
    sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
    server = await http_guard.listen(config, state, sock, context)
    try:
        yield Address(sock.getsockname()[1], "https" if context else "http")
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        for task in list(state.tasks):
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)
        await server.wait_closed()


def called_by(service: str, app: Any, caller: Identity | None = None) -> Any:
    """The application as if each request came by mutual TLS from this service, and in this name."""
    told = {PEER: SpiffeId("orderly.local", "orderly", service), **({CALLER: caller} if caller else {})}

    async def called(scope: Any, receive: Any, send: Any) -> None:
        scope["state"] = {**scope.get("state", {}), **told}
        await app(scope, receive, send)

    return called
