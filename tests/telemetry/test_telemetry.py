"""Follow one order through every signal, on real services, a real Jaeger, and while processes are killed.

On a cluster, no log line is looked for: what tells of each request and decision is told to those who debug.
"""

import asyncio
import json
import os
import re
import signal
import time
import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from system import System, orderly
from target import Client, Target

from deploy.observability.jaeger_server import Jaeger, OwnJaeger
from orderly import loglines
from orderly.folder import Folder
from orderly.loglines import Wanted
from tests.telemetry.edges import EDGES, Edge
from tests.telemetry.whole import batches, missing, tags

ORDERS = 40
OPENMETRICS = "application/openmetrics-text"  # which alone has exemplars
PARAMETERS = [pytest.param(it, marks=[pytest.mark.local] if it.signal == "log" else []) for it in EDGES]

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

Story = dict[str, str]  # card -> the order that was placed with it


@pytest.fixture(scope="module")
def story(system: Target) -> Story:
    async def tell() -> Story:
        await system.stock("tea", 10_000)
        async with system.client("alice") as alice:
            cards = list(dict.fromkeys(edge.card for edge in EDGES))
            placed = await asyncio.gather(*(alice.place([("tea", 1)], card) for card in cards))
            await asyncio.gather(*(alice.final(it["order_id"]) for it in placed))
            for _ in range(5):  # a saga that was handed over meanwhile is not timed
                await alice.final((await alice.place([("tea", 1)]))["order_id"])
            return {card: it["order_id"] for card, it in zip(cards, placed, strict=True)}

    return asyncio.run(tell())


async def timeline(client: Client, order_id: str) -> list[dict[str, Any]]:
    async with asyncio.timeout(20):
        while True:
            status, found, _ = await client.call("GET", f"/v1/orders/{order_id}/timeline")
            if status == 200:
                entries: list[dict[str, Any]] = found["entries"]
                return entries
            await asyncio.sleep(0.2)


def until_right(look: Any, within: float = 60.0) -> None:
    """`look` tells what is wrong, or nothing."""
    deadline = time.monotonic() + within
    while wrong := look():
        assert time.monotonic() < deadline, wrong
        time.sleep(0.2)


@pytest.mark.parametrize("edge", PARAMETERS, ids=lambda it: f"{it.service}-{it.signal}-{it.said}")
def test_every_edge_is_told_of(system: Target, story: Story, jaeger: Jaeger, edge: Edge) -> None:
    match edge.signal:
        case "trace":
            until_right(lambda: _not_traced(jaeger, story[edge.card], edge))
        case "log":
            assert isinstance(system, System)
            until_right(lambda: _not_logged(system, story[edge.card], edge))
        case "metric":
            until_right(lambda: _no_exemplar(system, jaeger, edge))


def _not_traced(jaeger: Jaeger, order_id: str, edge: Edge) -> str:
    found = jaeger.find("order", {"orderly.order.id": order_id})
    spans = [span for trace in found.values() for span in trace if span["service"] == edge.service]
    if any(span["operationName"] == edge.said and tags(span)["span.kind"] == edge.kind for span in spans):
        return ""
    return f"{edge} is not among {sorted({(it['operationName'], tags(it)['span.kind']) for it in spans})}"


def _not_logged(system: System, order_id: str, edge: Edge) -> str:
    lines = loglines.read(Folder(system.data), Wanted(order_id, (edge.service,)))
    right = [it for it in lines if it["event"] == edge.said and len(it["trace_id"]) == 32 and len(it["span_id"]) == 16]
    return "" if right else f"{edge} is not in {lines}"


def _no_exemplar(system: Target, jaeger: Jaeger, edge: Edge) -> str:
    """Each process of the service may hold it. Only the newest counts: of the slowest buckets they may be long forgotten."""
    said = "".join(system.asked(it, "/metrics", OPENMETRICS)[1] for it in system.processes(edge.service))
    told = re.findall(rf"^{edge.said}_bucket.*# {{trace_id=\"([0-9a-f]+)\"}} \S+ (\S+)$", said, re.MULTILINE)
    newest = max(told, key=lambda it: float(it[1]), default=None)
    return "" if newest and jaeger.trace(newest[0]) else f"{edge}: {len(told)} exemplars, and no trace of the newest"


async def whole(client: Client, jaeger: Jaeger, order_ids: Sequence[str]) -> None:
    """All of them are, in the end."""
    for order_id in order_ids:
        await client.final(order_id)
    told = {it: await timeline(client, it) for it in order_ids}

    def look() -> dict[str, list[str]]:
        several, wrong = batches(jaeger), {}
        for order_id, entries in told.items():
            trace_id = entries[0]["trace_id"]
            wrong[order_id] = missing(trace_id, jaeger.trace(trace_id), entries, several)
        return {order_id: found for order_id, found in wrong.items() if found}

    await asyncio.to_thread(until_right, look)


async def test_the_trace_of_every_order_is_whole(system: Target, story: Story, jaeger: Jaeger) -> None:
    async with system.client("alice") as alice:
        await whole(alice, jaeger, list(story.values()))


@pytest.mark.local
async def test_a_trace_is_whole_when_its_steps_shared_batches_with_others(
    system: System, story: Story, jaeger: Jaeger
) -> None:
    async with system.client("alice") as alice:
        placed = await asyncio.gather(*(alice.place([("tea", 1)]) for _ in range(ORDERS)))
        await whole(alice, jaeger, [it["order_id"] for it in placed])


@pytest.mark.local
async def test_a_trace_is_whole_when_calls_were_repeated(system: System, story: Story, jaeger: Jaeger) -> None:
    orderly("fault", "set", "gateway.call-errors", "40%", data=system.data)
    orderly("fault", "set", "payment.call-errors", "40%", data=system.data)
    async with system.client("alice") as alice:
        try:
            placed = [await alice.place([("tea", 1)]) for _ in range(5)]
            await asyncio.gather(*(alice.final(it["order_id"]) for it in placed))
        finally:
            orderly("fault", "clear", data=system.data)
        await whole(alice, jaeger, [it["order_id"] for it in placed])


@pytest.mark.local
async def test_a_trace_is_whole_when_its_processor_was_killed_and_another_took_over(
    system: System, story: Story, jaeger: Jaeger
) -> None:
    orderly("fault", "set", "payment.latency", "1s", data=system.data)
    try:
        async with system.client("alice") as alice:
            order_id = (await alice.place([("tea", 1)]))["order_id"]
            await alice.story(order_id, until="StockReserved")
            await asyncio.sleep(0.5)  # now it waits for the payment, and what was told so far has been sent
            owner = _owner(system, order_id)
            (pid,) = [it["pid"] for it in system.status()["services"] if it["name"] == owner]
            os.kill(pid, signal.SIGKILL)
            await whole(alice, jaeger, [order_id])
            drawn = json.loads(orderly("trace", order_id, "--json", data=system.data).stdout)
            assert [it["whole"] for it in drawn] == [True]
    finally:
        orderly("fault", "clear", data=system.data)


def _owner(system: System, order_id: str) -> str:
    """The process whose log tells that it has decided."""
    files = (system.data / "logs").glob("order-processor*.jsonl")
    (owner,) = [it.stem for it in files if order_id in it.read_text()]
    return owner


@pytest.mark.local
async def test_a_trace_is_whole_when_a_service_was_restarted_in_the_middle(
    system: System, story: Story, jaeger: Jaeger
) -> None:
    async with system.client("alice") as alice:
        orders = [(await alice.place([("tea", 1)]))["order_id"] for _ in range(5)]
        for name in ("payment", "inventory"):
            (pid,) = [it["pid"] for it in system.status()["services"] if it["name"] == name]
            os.kill(pid, signal.SIGTERM)
        await whole(alice, jaeger, orders)


@pytest.mark.local
async def test_the_trace_is_the_callers_where_it_has_one(system: System, story: Story, jaeger: Jaeger) -> None:
    trace_id = uuid.uuid4().hex
    headers = {"Idempotency-Key": uuid.uuid4().hex, "traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
    body = {"lines": [{"sku": "tea", "quantity": 1}], "payment_token": "tok_ok"}
    async with system.client("alice") as alice:
        _, order, _ = await alice.call("POST", "/v1/orders", body, headers)
        await alice.final(order["order_id"])
    until_right(lambda: [] if len(jaeger.trace(trace_id)) > 10 else ["not there yet"])


@pytest.mark.local
async def test_a_collector_that_answers_nothing_costs_no_order(system: System, story: Story, jaeger: OwnJaeger) -> None:
    async with system.client("alice") as alice:
        os.kill(jaeger.pid, signal.SIGSTOP)
        try:
            ended = await asyncio.gather(*(alice.place([("tea", 1)], wait=20) for _ in range(ORDERS)))
            assert [it["status"] for it in ended] == ["confirmed"] * ORDERS
        finally:
            os.kill(jaeger.pid, signal.SIGCONT)
        await whole(alice, jaeger, [(await alice.place([("tea", 1)]))["order_id"]])
