"""Two hundred orders while every process is killed and frozen, alone and together: nothing acknowledged is lost."""

import asyncio
import os
import random
import signal
from collections import Counter

import pytest
from system import Client, System

SERVICES = ["gateway", "order", "payment", "inventory", "provider"]
LONGER_THAN_THE_LEASE = 2.5
ORDERS = 200
PLAN = [[name] for name in SERVICES] + [
    ["order", "inventory"],
    ["payment", "provider"],
    ["gateway", "order", "payment"],
]

pytestmark = [pytest.mark.process, pytest.mark.timeout(400)]


async def orders(client: Client, count: int, pace: float, seed: int) -> list[str]:
    """Placed at a constant rate, whatever happens meanwhile; some are cancelled by their customer."""
    draw = random.Random(seed)
    placed: list[asyncio.Task[str]] = []
    for _ in range(count):
        placed.append(asyncio.create_task(one_order(client, draw.random(), draw.randrange(3))))
        await asyncio.sleep(pace)
    return await asyncio.gather(*placed)


async def one_order(client: Client, luck: float, sku: int) -> str:
    lines = [(f"fault-{sku}", 1)] if luck < 0.6 else [(f"fault-{sku}", 1), (f"fault-{(sku + 1) % 3}", 2)]
    token = "tok_ok" if luck < 0.7 else "tok_lost" if luck < 0.8 else "tok_error" if luck < 0.9 else "tok_declined"
    order = await client.place(lines, token, within=120)
    if luck > 0.95 or luck < 0.05:
        await client.cancel(order["order_id"])
    return str(order["order_id"])


async def faults(system: System, pause: float) -> None:
    for names in PLAN:
        for name in names:
            await asyncio.to_thread(system.signal, name, signal.SIGKILL)
        await asyncio.sleep(pause)
    for names in PLAN:
        pids = [await asyncio.to_thread(system.signal, name, signal.SIGSTOP) for name in names]
        await asyncio.sleep(LONGER_THAN_THE_LEASE)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(pause / 2)


async def test_every_acknowledged_order_ends_while_everything_is_killed_and_frozen(system: System) -> None:
    for number in range(3):
        await system.stock(f"fault-{number}", 10_000)
    async with system.client("alice") as alice:
        trouble = asyncio.create_task(faults(system, pause=2.0))
        placed = await orders(alice, ORDERS, pace=0.2, seed=20260101)
        await trouble
        ended = await asyncio.gather(*(alice.final(order_id, within=90) for order_id in placed))
    print(Counter((order["status"], order["reason"]) for order in ended))
    assert len({order["order_id"] for order in ended}) == ORDERS
    assert Counter(order["status"] for order in ended)["confirmed"] > ORDERS / 2
