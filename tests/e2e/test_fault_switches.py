"""The laws hold while fault switches are on, one after the other, under load: `orderly verify` says so at the end."""

import asyncio
import contextlib
import json
import random

import aiohttp
import pytest
from system import System
from target import Client, Target

from common.testing.eventually import eventually
from common.topology import SERVICES

# `wrong` is for the provider alone: its lies are noticed and asked again; what a service of ours tells a customer is believed.
# Of those that are loaded here only order's API appends commands: to lose and double them is its alone.
PLAN = [
    ("gateway.latency", "300ms"),
    ("gateway.errors", "30%"),
    ("gateway.drop", "30%"),
    ("gateway.call-latency", "300ms"),
    ("gateway.call-errors", "30%"),
    ("gateway.call-drop", "30%"),
    ("order.latency", "500ms"),
    ("order.duplicate", "50%"),
    ("order.reorder", "on"),
    ("order.append-errors", "30%"),
    ("order.append-drop", "30%"),
    ("order.freeze", "on"),
    ("payment.freeze", "on"),
    ("payment.call-drop", "30%"),
    ("payment.latency", "2s"),
    ("inventory.freeze", "on"),
    ("inventory.reorder", "on"),
    ("inventory.cpu", "80%"),
    ("inventory.memory", "64MB"),
    ("inventory.errors", "50%"),
    ("provider.latency", "2s"),
    ("provider.errors", "30%"),
    ("provider.drop", "30%"),
    ("provider.wrong", "50%"),
]
SECONDS, FROZEN = 1.0, 2.5  # the latter longer than a lease: whoever is frozen is fenced
PACE = 0.15  # seconds between orders

pytestmark = [pytest.mark.process, pytest.mark.timeout(500)]


async def load(client: Client, stop: asyncio.Event) -> list[str]:
    """Orders at a constant rate until told to stop; each is asked for until it is acknowledged."""
    draw = random.Random(20261125)
    placed: list[asyncio.Task[str]] = []

    async def one(luck: float) -> str:
        token = "tok_ok" if luck < 0.8 else "tok_lost" if luck < 0.9 else "tok_declined"
        lines = [("switch-a", 1)] if luck < 0.6 else [("switch-a", 1), ("switch-b", 2)]
        order = await client.place(lines, token, within=120)
        with contextlib.suppress(aiohttp.ClientError):
            await client.call("GET", "/v1/products/switch-a")
        return str(order["order_id"])

    while not stop.is_set():
        placed.append(asyncio.create_task(one(draw.random())))
        await asyncio.sleep(PACE)
    return await asyncio.gather(*placed)


async def test_the_laws_hold_under_every_switch(system: Target) -> None:
    for sku in ("switch-a", "switch-b"):
        await system.stock(sku, 10_000)
    stop = asyncio.Event()
    async with system.client("alice") as alice:
        loading = asyncio.create_task(load(alice, stop))
        for switch, value in PLAN if isinstance(system, System) else PLAN[::12]:  # elsewhere each takes its time
            await asyncio.to_thread(system.fault, switch, value)
            await asyncio.sleep(FROZEN if switch.endswith(".freeze") else SECONDS)
            await asyncio.to_thread(eventually, lambda: struck(system), lambda it, name=switch: name in it, within=60)
            await asyncio.to_thread(system.fault, switch, None)
        stop.set()
        placed = await loading
        ended = await asyncio.gather(*(alice.final(order_id, within=90) for order_id in placed))
    assert len({order["order_id"] for order in ended}) == len(placed)
    assert sum(order["status"] == "confirmed" for order in ended) > len(placed) / 3


def struck(system: Target) -> set[str]:
    """The switches that the services' logs tell of."""
    lines = [line for service in SERVICES for line in system.log(service).splitlines()]
    return {json.loads(line)["switch"] for line in lines if '"event":"fault"' in line}
