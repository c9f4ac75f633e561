"""Two of everything: one is killed, one is frozen past its lease, and the other takes over; nothing happens twice."""

import asyncio
import os
import signal
import uuid

import pytest
from system import System

UP = ("--scale", "order.api=2", "--scale", "order.processor=2", "--scale", "order.projector=2", "--scale", "payment=2")
ORDERS = 40
LEASE = 1.5  # seconds, see system.py

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]


def send(system: System, name: str, number: signal.Signals) -> int:
    (pid,) = [int(one["pid"]) for one in system.status()["services"] if one["name"] == name]
    os.kill(pid, number)
    return pid


async def test_each_role_is_taken_over_by_the_other_process(system: System) -> None:
    await system.stock("side", 1000)
    async with system.client("alice") as alice:

        async def order() -> str:
            placed = await alice.place([("side", 1)])
            return str((await alice.final(placed["order_id"], within=120))["status"])

        ended = asyncio.gather(*(order() for _ in range(ORDERS)))
        frozen = send(system, "payment-1", signal.SIGSTOP)
        for name in ("order-processor-1", "order-projector-1", "order-api-1"):
            send(system, name, signal.SIGKILL)
        await asyncio.sleep(2 * LEASE)
        os.kill(frozen, signal.SIGCONT)  # it does not know yet that it owns nothing any more
        assert await ended == ["confirmed"] * ORDERS


async def test_one_key_with_two_bodies_at_two_apis_is_one_order(system: System) -> None:
    await system.stock("twin", 1000)
    async with system.client("bob") as bob:
        for _ in range(20):
            key = uuid.uuid4().hex
            bodies = [{"lines": [{"sku": "twin", "quantity": it}], "payment_token": "tok_ok"} for it in (1, 2)]
            asked = [bob.call("POST", "/v1/orders", body, {"Idempotency-Key": key}) for body in bodies]
            assert sorted(status for status, _, _ in await asyncio.gather(*asked)) == [202, 422]
