"""Load is shed at the edge: bursts are served, and a queue that only grows is not joined."""

import asyncio
from collections import Counter

import pytest
from prometheus_client import REGISTRY
from starlette.responses import Response

from gateway import shedding
from gateway.testing import Edge, edge


class Slow(Response):
    async def __call__(self, scope, receive, send):  # type: ignore[no-untyped-def]  # as starlette's
        await asyncio.sleep(0.2)
        await super().__call__(scope, receive, send)


async def ask(gateway: Edge, requests: int) -> Counter[int]:
    calls = (gateway.call("alice", "GET", "/v1/orders") for _ in range(requests))
    replies = await asyncio.gather(*calls)
    refused = [reply for reply in replies if reply.status == 503]
    assert all(reply.is_problem and reply.headers["retry-after"] == "1" for reply in refused)
    return Counter(reply.status for reply in replies)


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shedding, "FIRST", 4)


async def test_a_burst_waits_in_line_and_is_served() -> None:
    async with edge() as gateway:
        gateway.service.answer = lambda: Slow(b"{}")
        assert await ask(gateway, 12) == {200: 12}


async def test_a_standing_queue_is_not_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shedding, "PATIENCE", 0.05)
    async with edge() as gateway:
        gateway.service.answer = lambda: Slow(b"{}")
        await ask(gateway, 1)
        first = asyncio.create_task(ask(gateway, 40))
        late: list[asyncio.Task[Counter[int]]] = []
        while not first.done() and not any(it.done() and it.result()[503] for it in late):
            late.append(asyncio.create_task(ask(gateway, 1)))
            await asyncio.sleep(0.05)
        assert (await first)[200] > 0
        refused = sum(it[503] for it in await asyncio.gather(*late))
        assert refused > 0
        assert (REGISTRY.get_sample_value("orderly_gateway_shed_total", {"upstream": "order"}) or 0) >= refused


async def test_those_who_wait_on_purpose_keep_nobody_out() -> None:
    async with edge() as gateway:
        gateway.service.answer = lambda: Slow(b"{}")
        await ask(gateway, 1)
        waiting = [gateway.place(headers={"Idempotency-Key": f"k{n}", "Prefer": "wait=5"}) for n in range(20)]
        placed = asyncio.gather(*waiting)
        assert await ask(gateway, 4) == {200: 4}
        assert {reply.status for reply in await placed} == {200}


async def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shedding, "PATIENCE", 0.0)
    async with edge(shedding=False) as gateway:
        gateway.service.answer = lambda: Slow(b"{}")
        assert await ask(gateway, 30) == {200: 30}
