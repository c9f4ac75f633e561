"""An answer is one write, however many pieces it is made of; none of it is held back or lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from common.application import Application
from common.http_write import AT_ONCE
from common.testing.http import Address, read_reply, serving

LARGE = b"x" * (3 * AT_ONCE)


@pytest.fixture
async def server() -> AsyncIterator[Address]:
    app = Application("writes")
    app.state.more = asyncio.Event()

    @app.get("/small")
    async def small(_: Request) -> Response:
        return Response(b"small")

    @app.get("/large")
    async def large(_: Request) -> Response:
        return Response(LARGE)

    @app.get("/pieces")
    async def pieces(_: Request) -> Response:
        async def both() -> AsyncIterator[bytes]:
            yield b"one"
            await app.state.more.wait()
            yield b"two"

        return StreamingResponse(both())

    @app.get("/more")
    async def more(_: Request) -> Response:
        app.state.more.set()
        return Response()

    async with serving(app) as address:
        yield address


async def test_head_and_body_arrive_together(server: Address) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for _ in range(20):
        writer.write(b"GET /small HTTP/1.1\r\nhost: test\r\n\r\n")
        assert (await reader.read(4096)).endswith(b"\r\n\r\nsmall")
    writer.close()


async def test_pipelined_answers_are_all_there_and_in_order(server: Address) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    paths = ["small", "large", "small"]
    writer.write(b"".join(f"GET /{path} HTTP/1.1\r\nhost: test\r\n\r\n".encode() for path in paths))
    assert [(await read_reply(reader))[2] for _ in paths] == [b"small", LARGE, b"small"]
    writer.close()


async def test_the_pieces_of_a_stream_do_not_wait_for_each_other(server: Address) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /pieces HTTP/1.1\r\nhost: test\r\n\r\n")
    assert (await reader.readuntil(b"one\r\n")).startswith(b"HTTP/1.1 200")
    assert (await server.request("GET", "/more")).status == 200
    assert await reader.readuntil(b"0\r\n\r\n") == b"3\r\ntwo\r\n0\r\n\r\n"
    writer.close()


async def test_what_was_said_before_a_connection_is_closed_is_heard(server: Address) -> None:
    reply = await server.request("GET", "/large")  # with connection: close
    assert (reply.body, reply.closed) == (LARGE, True)
