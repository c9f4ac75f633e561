"""Two of everything: one is killed, drained, or frozen past its lease, and the other takes over; nothing happens twice."""

import asyncio
import signal
import uuid

import pytest
from system import System
from target import Client, Target

from common.testing.eventually import eventually

SCALE = {"order.api": 2, "order.processor": 2, "order.projector": 2, "payment": 2}
ORDERS = 40
LEASE = 1.5  # seconds, see system.py
PACE = 0.02  # seconds between requests

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]


@pytest.mark.local  # nobody can stop a container's first process
async def test_each_role_is_taken_over_by_the_other_process(system: System) -> None:
    await system.once("side", 10_000)
    async with system.client("alice") as alice:

        async def order() -> str:
            placed = await alice.place([("side", 1)])
            return str((await alice.final(placed["order_id"], within=120))["status"])

        ended = asyncio.gather(*(order() for _ in range(ORDERS)))
        frozen = system.send("payment-1", signal.SIGSTOP)
        for name in ("order-processor-1", "order-projector-1", "order-api-1"):
            system.kill(name)
        await asyncio.sleep(2 * LEASE)
        frozen.send(signal.SIGCONT)  # it does not know yet that it owns nothing any more
        assert await ended == ["confirmed"] * ORDERS


@pytest.mark.parametrize("how", ["killed", "drained"])
async def test_who_reads_does_not_notice_that_a_replica_is(system: Target, how: str) -> None:
    await system.once("side", 10_000)
    async with system.client("alice") as alice:
        placed = await alice.place([("side", 1)], wait=10)
        before = await asyncio.to_thread(system.processes, "order.api")
        victim = before[0]

        def replaced() -> bool:
            now = system.processes("order.api")
            return len(now) == len(before) and all(system.asked(it, "/readyz")[0] == 200 for it in now)

        await asyncio.to_thread(system.kill if how == "killed" else system.end, victim)
        gone = asyncio.to_thread(eventually, replaced, within=120)
        await read_meanwhile(alice, placed["order_id"], asyncio.ensure_future(gone))


async def read_meanwhile(client: Client, order_id: str, over: "asyncio.Future[bool]") -> None:
    while not over.done():
        status, answer, _ = await client.call("GET", f"/v1/orders/{order_id}")
        assert (status, answer["status"]) == (200, "confirmed"), answer
        await asyncio.sleep(PACE)
    over.result()


async def test_one_key_with_two_bodies_at_two_apis_is_one_order(system: Target) -> None:
    await system.once("twin", 10_000)
    async with system.client("bob") as bob:
        for _ in range(20):
            key = uuid.uuid4().hex
            bodies = [{"lines": [{"sku": "twin", "quantity": it}], "payment_token": "tok_ok"} for it in (1, 2)]
            asked = [bob.call("POST", "/v1/orders", body, {"Idempotency-Key": key}) for body in bodies]
            assert sorted(status for status, _, _ in await asyncio.gather(*asked)) == [202, 422]
