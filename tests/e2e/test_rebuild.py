"""A read model is folded from the log again, beside the live one and then in its place, while customers order and read."""

import asyncio

import pytest
from target import Client, Target

from common.topology import PROCESSING_SERVICES

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]


@pytest.mark.parametrize("service", PROCESSING_SERVICES)
async def test_what_is_rebuilt_is_the_same_and_takes_its_place_unnoticed(system: Target, service: str) -> None:
    await system.once("tea", 10_000)
    async with system.client("alice") as alice:
        old = [await alice.place([("tea", 1)], card, wait=10) for card in ("tok_ok", "tok_declined")]
        before = [await shown(alice, order["order_id"]) for order in old]
        rebuilt = asyncio.create_task(asyncio.to_thread(system.rebuild, service))
        new = []
        while not rebuilt.done():
            new.append(await alice.place([("tea", 1)], wait=10))
            assert [await shown(alice, order["order_id"]) for order in old] == before
        await rebuilt
        assert [await shown(alice, order["order_id"]) for order in old] == before
        for order in new:
            assert (await alice.final(order["order_id"]))["status"] == "confirmed"


async def shown(client: Client, order_id: str) -> list[object]:
    """All that is kept of it: the order, its payment, its product."""
    strong = {"Consistency-Level": "strong"}
    order, payment = [
        await client.call("GET", f"/v1/{kind}/{order_id}", headers=strong) for kind in ("orders", "payments")
    ]
    product = await client.call("GET", "/v1/products/tea")
    return [order[:2], payment[:2], (product[0], product[1]["price"])]
