"""A deadline goes along with the request, and a callee that keeps it never works for a caller that has gone."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from concurrent.futures import Future
from typing import Any

import pytest
from fastapi import Request, Response
from starlette.responses import StreamingResponse

from common.application import Application
from common.consistency import Token, wait_for
from common.contracts.inventory import ReceiveStock
from common.discovery import Endpoint
from common.errors import Late, Unavailable
from common.eventlog import Position
from common.eventlog.memory import MemoryLog
from common.http_client import Upstream
from common.readmodel.memory import MemoryReadModel
from common.resilience import deadline
from common.resilience.policy import Policy
from common.sender import Sender
from common.testing.http import Address, serving


class DeadLog(MemoryLog):
    """Takes records and never says so."""

    def append(self, records: Any) -> "Future[Any]":
        self.future: Future[list[Position]] = Future()
        return self.future


class Scene:
    def __init__(self, address: Address, log: DeadLog) -> None:
        self.address = address
        self.log = log
        self.interrupted = asyncio.Event()
        self.began = 0


@contextlib.asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    app = Application("deadlines")
    deadline.install(app)
    log = DeadLog(lambda: 0)
    sender = Sender("inventory", log, lambda: 0)
    view = MemoryReadModel().view()

    @app.get("/append")
    async def append(_: Request) -> Response:
        found.began += 1
        try:
            await sender.send("tea", ReceiveStock("tea", "r1", 1), actor="a", traceparent="")
        finally:
            found.interrupted.set()
        return Response()

    @app.get("/read")
    async def read(_: Request) -> Response:
        await wait_for(view, Token("inventory", 0, 0), within=30)
        return Response()

    @app.get("/left")
    async def left(_: Request) -> Response:
        return Response(str(deadline.within(30)))

    @app.get("/stream")
    async def stream(_: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"a"
            await asyncio.sleep(0.3)
            yield b"b"

        return StreamingResponse(pieces())

    @app.get("/echo")
    async def echo(request: Request) -> Response:
        return Response(request.headers.get("orderly-deadline", ""))

    async with serving(app) as address:
        found = Scene(address, log)
        yield found


async def within(found: Scene, seconds: float, path: str) -> tuple[int, bytes]:
    reply = await found.address.request("GET", path, {deadline.HEADER: deadline.header(seconds)})
    return reply.status, reply.body


async def test_it_interrupts_an_append_that_the_log_does_not_acknowledge() -> None:
    async with scene() as found:
        status, body = await within(found, 0.2, "/append")
        assert (status, b"deadline-exceeded" in body) == (504, True)
        async with asyncio.timeout(5):
            await found.interrupted.wait()
        found.log.future.set_result([Position("inventory.commands", 0, 0)])  # the log itself was not disturbed


async def test_it_interrupts_the_wait_for_a_read_model() -> None:
    async with scene() as found:
        assert (await within(found, 0.2, "/read"))[0] == 504


async def test_what_is_too_late_already_is_not_begun() -> None:
    async with scene() as found:
        assert (await within(found, -0.1, "/append"))[0] == 504
        assert found.began == 0


async def test_a_callee_knows_how_much_is_left() -> None:
    async with scene() as found:
        assert 4 < float((await within(found, 5, "/left"))[1]) <= 5
        assert float((await within(found, 1e6, "/left"))[1]) == 30
        assert (await found.address.request("GET", "/left")).body == b"30"


@pytest.mark.parametrize("nonsense", ["", "soon", "-1", "1e9", "9" * 30, "٣"])
async def test_nonsense_is_no_deadline(nonsense: str) -> None:
    async with scene() as found:
        raw = f"GET /left HTTP/1.1\r\nhost: t\r\nconnection: close\r\norderly-deadline: {nonsense}\r\n\r\n"
        assert (await found.address.exchange(raw.encode())).body == b"30"


async def test_an_answer_that_has_begun_is_finished() -> None:
    async with scene() as found:
        assert await within(found, 0.1, "/stream") == (200, b"ab")


async def test_it_goes_along_to_the_next_service_as_the_same_instant() -> None:
    async with scene() as found:
        upstream = Upstream("stock", found.address.url, Policy(deadline=10))
        with deadline.limit(3.0):
            ends = time.time() + 3.0
            first = await upstream.request("GET", "/echo")
            await asyncio.sleep(0.05)
            second = await upstream.request("GET", "/echo")
        assert abs(int(first.body) / 1000 - ends) < 1
        assert abs(int(second.body) - int(first.body)) < 20
        with pytest.raises(Late), deadline.limit(0.1):
            await upstream.request("GET", "/append")
        await upstream.close()


async def test_who_watches_for_endpoints_outlives_the_request_that_was_the_first_to_ask() -> None:
    """Else its own questions would be late, for ever, once that request is over."""
    left: list[float] = []

    class Watched:
        async def watch(self) -> AsyncIterator[list[Endpoint]]:
            left.append(deadline.within(1000))
            yield [Endpoint("http://127.0.0.1:1")]

    upstream = Upstream("stock", Watched(), Policy(attempts=1))
    with pytest.raises(Unavailable), deadline.limit(5.0):
        await upstream.request("GET", "/")
    assert left == [1000]
    await upstream.close()
