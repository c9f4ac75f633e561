"""What an upstream does to its callers: restarts, hangs, cuts connections, answers too much; and what they make of it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from fastapi import FastAPI, Request, Response
from starlette.responses import StreamingResponse

from common.errors import Late, Unavailable
from common.http_client import Upstream
from common.resilience.policy import Policy
from common.testing.http import serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Wire:
    """A server that does to each connection what its script says, and counts."""

    script: list[Script]
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = self.script[min(self.connections, len(self.script) - 1)]
        self.connections += 1
        try:
            await script(reader, writer)
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def wired(*script: Script, policy: Policy | None = None) -> AsyncIterator[tuple[Upstream, Wire]]:
    wire = Wire(list(script))
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    upstream = Upstream("stock", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", policy)
    try:
        yield upstream, wire
    finally:
        await upstream.close()
        server.close()


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError):
        while await head(reader):
            writer.write(OK)


async def cuts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head(reader)


async def cuts_in_the_middle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head(reader)
    writer.write(OK[:-1])


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError):
        await reader.readexactly(1_000_000)


async def test_connections_are_used_again() -> None:
    async with wired(answers) as (upstream, wire):
        for _ in range(10):
            assert (await upstream.request("GET", "/")).body == b"ok"
        assert wire.connections == 1


@pytest.mark.parametrize("broken", [cuts, cuts_in_the_middle])
async def test_what_does_nothing_twice_is_tried_again(broken: Script) -> None:
    for method, headers, repeatable in (
        ("GET", {}, False),
        ("PUT", {}, False),
        ("POST", {"Idempotency-Key": "k"}, False),
        ("POST", {}, True),
    ):
        async with wired(broken, broken, answers) as (upstream, wire):
            answer = await upstream.request(method, "/", headers, repeatable=repeatable)
            assert (answer.status, wire.connections) == (200, 3)


async def test_a_POST_that_may_have_been_heard_is_not_tried_again() -> None:
    async with wired(cuts, answers) as (upstream, wire):
        with pytest.raises(Unavailable):
            await upstream.request("POST", "/", {}, b"{}")
        assert wire.connections == 1


async def test_three_failures_are_enough() -> None:
    async with wired(cuts) as (upstream, wire):
        with pytest.raises(Unavailable):
            await upstream.request("GET", "/")
        assert 3 <= wire.connections <= 6  # the pool itself may try a cut connection once more


async def test_nobody_there_is_unavailable_even_for_a_POST_and_soon() -> None:
    upstream = Upstream("stock", "http://127.0.0.1:1")
    started = time.monotonic()
    with pytest.raises(Unavailable, match="stock"):
        await upstream.request("POST", "/", {}, b"{}")
    assert time.monotonic() - started < 2
    await upstream.close()


async def test_the_deadline_is_for_all_attempts_together() -> None:
    async with wired(cuts, hangs, policy=Policy(deadline=0.3)) as (upstream, _):
        started = time.monotonic()
        with pytest.raises(Late, match="no answer within"):
            await upstream.request("GET", "/")
        assert 0.25 < time.monotonic() - started < 1


@pytest.mark.parametrize("answer", [b"NOISE\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"\0" * 100])
async def test_A9_an_answer_that_is_not_HTTP_is_unavailable(answer: bytes) -> None:
    async def lies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(answer)

    async with wired(lies) as (upstream, _):
        with pytest.raises(Unavailable):
            await upstream.request("GET", "/")


async def test_A9_an_answer_without_end_is_cut_off() -> None:
    app = FastAPI(openapi_url=None)

    @app.get("/")
    async def flood() -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 10_000
                await asyncio.sleep(0)  # else nothing could stop it once its caller has gone

        return StreamingResponse(pieces())

    async with serving(app) as address:
        upstream = Upstream("stock", address.url, Policy(largest=100_000))
        with pytest.raises(Unavailable, match="more than 100000 bytes"):
            await upstream.request("GET", "/")
        await upstream.close()


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async def redirects(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n")

    async with wired(redirects) as (upstream, _):
        assert (await upstream.request("GET", "/")).status == 307


async def test_path_headers_and_body_go_as_they_are() -> None:
    app = FastAPI(openapi_url=None)
    heard: list[tuple[bytes, bytes, dict[str, str], bytes]] = []

    @app.post("/{path:path}")
    async def hear(request: Request) -> Response:
        heard.append(
            (request.scope["raw_path"], request.scope["query_string"], dict(request.headers), await request.body())
        )
        return Response(status_code=204)

    async with serving(app) as address:
        upstream = Upstream("stock", address.url + "/")
        answer = await upstream.request("POST", "/a%2Fb?c=%20d", {"X-A": "1"}, b"raw")
        await upstream.close()
    assert answer.status == 204
    path, query, headers, body = heard[0]
    assert (path, query, body) == (b"/a%2Fb", b"c=%20d", b"raw")
    assert set(headers) == {"host", "x-a", "content-length", "orderly-deadline"}


async def test_cookies_are_not_kept() -> None:
    seen: list[bytes] = []

    async def sets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            seen.append(await head(reader))
            writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")

    async with wired(sets) as (upstream, _):
        await upstream.request("GET", "/")
        await upstream.request("GET", "/")
    assert b"cookie" not in seen[1].lower()
