"""Server-sent events through the gateway: as they come, no faster than they are read, and over when either side leaves."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.responses import Response, StreamingResponse

from common import http_client, http_pool
from common.problems import Problem
from gateway.testing import ORDER_ID, Edge, edge

PATH = f"/v1/orders/{ORDER_ID}/stream"


class Source:
    """An endless answer that counts what was taken of it, and notices when nobody is there any more."""

    def __init__(self, piece: bytes, pause: float) -> None:
        self.sent = 0
        self.left = asyncio.Event()
        self._piece = piece
        self._pause = pause

    async def events(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield self._piece
                self.sent += len(self._piece)
                await asyncio.sleep(self._pause)
        finally:
            self.left.set()

    def answer(self) -> StreamingResponse:
        return StreamingResponse(self.events(), media_type="text/event-stream", headers={"X-Internal": "1"})


@pytest.fixture
async def gateway() -> AsyncIterator[Edge]:
    async with edge() as it:
        await it.call("alice", "GET", "/v1/orders")
        it.service.forget()
        yield it


async def listen(gateway: Edge, limit: int = 65_536) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.address.port, limit=limit)
    writer.write(f"GET {PATH} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {gateway.tokens['alice']}\r\n\r\n".encode())
    return reader, writer


async def test_events_come_through_one_by_one_with_the_headers_that_keep_them_flowing(gateway: Edge) -> None:
    gateway.service.answer = Source(b"event: entry\ndata: {}\n\n", 0.01).answer
    reader, writer = await listen(gateway)
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    assert "200 ok" in head
    assert "content-type: text/event-stream" in head
    assert "cache-control: no-store" in head
    assert "x-internal" not in head
    for _ in range(5):
        await asyncio.wait_for(reader.readuntil(b"data: {}\n\n"), 20)
    writer.close()


async def test_a_client_that_leaves_ends_the_stream_behind_the_gateway_too(gateway: Edge) -> None:
    source = Source(b": waiting\n\n", 0.02)
    gateway.service.answer = source.answer
    reader, writer = await listen(gateway)
    await reader.readuntil(b"waiting\n\n")
    writer.close()
    await asyncio.wait_for(source.left.wait(), 20)


async def test_a_client_that_reads_slowly_slows_the_service_down_and_not_fills_the_gateway(gateway: Edge) -> None:
    source = Source(b"data: " + b"x" * 50_000 + b"\n\n", 0)
    gateway.service.answer = source.answer
    reader, writer = await listen(gateway, limit=1000)
    await reader.read(100)
    before = -1
    async with asyncio.timeout(30):
        while source.sent != before:  # until it sends no more
            before = source.sent
            await asyncio.sleep(0.5)
        assert source.sent < 30_000_000  # what the sockets hold
        while source.sent == before:
            await reader.read(100_000)
    writer.close()
    await asyncio.wait_for(source.left.wait(), 20)


async def test_a_stream_that_its_service_breaks_off_ends(gateway: Edge) -> None:
    async def one() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        raise ConnectionError("the service died")

    gateway.service.answer = lambda: StreamingResponse(one(), media_type="text/event-stream")
    reader, writer = await listen(gateway)
    await reader.readuntil(b"data: 1\n\n")
    assert await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 20)
    writer.close()


async def test_a_service_that_falls_silent_is_given_up(gateway: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_pool, "STREAM_SILENCE", 0.3)
    source = Source(b"data: 1\n\n", 60)
    gateway.service.answer = source.answer
    reader, writer = await listen(gateway)
    await reader.readuntil(b"data: 1\n\n")
    assert await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 20)
    await asyncio.wait_for(source.left.wait(), 20)
    writer.close()


async def test_an_order_that_is_not_there_is_a_problem_and_not_a_stream(gateway: Edge) -> None:
    def refuse() -> Response:
        raise Problem(404, "order-not-found", "There is no such order.")

    gateway.service.answer = refuse
    reply = await gateway.call("alice", "GET", PATH)
    assert (reply.status, reply.is_problem) == (404, True)


async def test_streams_leave_connections_for_everybody_else(gateway: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "MOST_STREAMS", 3)
    gateway.service.answer = Source(b": waiting\n\n", 0.05).answer
    open_ones = []
    for _ in range(3):
        reader, writer = await listen(gateway)
        await reader.readuntil(b"\r\n\r\n")
        open_ones.append(writer)
    refused = await gateway.call("alice", "GET", PATH)
    assert (refused.status, refused.is_problem, refused.headers["retry-after"]) == (503, True, "1")
    for writer in open_ones:
        writer.close()
    await asyncio.sleep(0.3)
    reader, writer = await listen(gateway)
    assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
    writer.close()
