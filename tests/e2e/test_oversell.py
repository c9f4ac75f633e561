"""A thousand customers for a hundred pieces: exactly a hundred get one."""

import asyncio
import uuid
from collections import Counter

import pytest
from target import Target

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]


async def test_exactly_a_hundred_of_a_thousand_concurrent_orders_are_confirmed(system: Target) -> None:
    rare = f"rare-{uuid.uuid4().hex[:8]}"
    await system.stock(rare, 100)
    async with system.client("alice") as alice:
        ended = await asyncio.gather(*(alice.place([(rare, 1)], wait=30, within=120) for _ in range(1000)))
        ended = await asyncio.gather(*(alice.final(order["order_id"], within=120) for order in ended))
        _, product, _ = await alice.call("GET", f"/v1/products/{rare}")
    assert Counter(order["status"] for order in ended) == {"confirmed": 100, "cancelled": 900}
    assert {order["reason"] for order in ended} == {None, f"out of stock: {rare}"}
    assert product["available"] == 0
