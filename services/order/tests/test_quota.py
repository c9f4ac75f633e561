"""So many open orders of one customer, and no more."""

from collections.abc import Collection

import pytest

from common.problems import Problem
from order import quota
from order.quota import LONGEST, Quota


class World:
    """`over` are the orders with a verdict."""

    def __init__(self, most: int) -> None:
        self.now = 1_000_000
        self.over: set[str] = set()
        self.asked = 0
        self.quota = Quota(most, self.finished, lambda: self.now)

    async def finished(self, order_ids: Collection[str]) -> Collection[str]:
        self.asked += 1
        return self.over & set(order_ids)


async def test_an_order_is_refused_while_too_many_are_open() -> None:
    world = World(2)
    for order_id in ("o1", "o2"):
        await world.quota.take("alice", order_id)
    with pytest.raises(Problem, match="429 too-many-open-orders"):
        await world.quota.take("alice", "o3")
    await world.quota.take("bob", "o4")
    world.over.add("o1")
    await world.quota.take("alice", "o3")
    with pytest.raises(Problem, match="429"):
        await world.quota.take("alice", "o5")


async def test_nobody_is_asked_while_there_is_room() -> None:
    world = World(2)
    for number in range(2):
        await world.quota.take("alice", f"o{number}")
    assert world.asked == 0


async def test_what_nobody_hears_of_any_more_is_not_waited_for() -> None:
    world = World(1)
    await world.quota.take("alice", "lost")
    world.now += LONGEST
    await world.quota.take("alice", "o1")


async def test_without_a_quota_there_is_no_limit() -> None:
    world = World(0)
    for number in range(1_000):
        await world.quota.take("alice", f"o{number}")


async def test_customers_beyond_the_most_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "MOST_CUSTOMERS", 1)
    world = World(1)
    await world.quota.take("alice", "o1")
    await world.quota.take("bob", "o2")
    await world.quota.take("alice", "o3")
