"""The laws of a lease, as a test suite that every kind passes.

class TestMyLease(LeaseContract):
    @pytest.fixture
    def opened(self) -> Callable[[], Lease]: ...     each call: the same lease, as another process opens it
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from common.leader import Lease
from common.leader.election import Election

SECONDS = 1  # the shortest that Kubernetes knows
WITHIN = 30.0


async def becomes(ask: Callable[[], Awaitable[int | None]]) -> int:
    """The first token that is given, asked for again and again."""
    async with asyncio.timeout(WITHIN):
        while True:
            token = await ask()
            if token is not None:
                return token
            await asyncio.sleep(0.1)


class LeaseContract:
    """All laws. Subclasses give `opened`."""

    @pytest.fixture
    def opened(self) -> Callable[[], Lease]:
        raise NotImplementedError("give the lease under test")

    async def test_one_has_it_at_a_time_and_keeps_its_token_while_it_renews(self, opened: Callable[[], Lease]) -> None:
        one, other = opened(), opened()
        token = await one.take("one", 60)
        assert token is not None
        assert await other.take("other", 60) is None
        assert [await one.take("one", 60) for _ in range(3)] == [token] * 3
        assert await one.holder() == await other.holder() == "one"

    async def test_of_many_who_try_at_once_one_gets_it(self, opened: Callable[[], Lease]) -> None:
        tokens = await asyncio.gather(*(opened().take(f"holder-{number}", 60) for number in range(8)))
        assert len([token for token in tokens if token is not None]) == 1

    async def test_who_falls_silent_loses_it_and_the_next_token_is_larger(self, opened: Callable[[], Lease]) -> None:
        one, other = opened(), opened()
        first = await becomes(lambda: one.take("one", SECONDS))
        second = await becomes(lambda: other.take("other", SECONDS))
        assert second > first
        assert await one.take("one", SECONDS) is None
        assert await becomes(lambda: one.take("one", SECONDS)) > second

    async def test_what_is_released_is_free_at_once_and_only_its_holder_can(self, opened: Callable[[], Lease]) -> None:
        one, other = opened(), opened()
        first = await becomes(lambda: one.take("one", 60))
        await other.release("other")
        assert await other.take("other", 60) is None
        await one.release("one")
        assert await one.holder() is None
        second = await other.take("other", 60)
        assert second is not None
        assert second > first

    async def test_there_is_never_more_than_one_who_believes_to_lead(self, opened: Callable[[], Lease]) -> None:
        elections = [Election(opened(), f"holder-{number}", SECONDS) for number in range(3)]
        led: list[tuple[int, int]] = []  # (token, candidate), in the order in which they were seen

        async def run(number: int) -> None:
            election, rounds = elections[number], 0
            for _ in range(25):
                await election.step()
                rounds += election.token is not None
                leaders = [(it.token, other) for other, it in enumerate(elections) if it.token is not None]
                assert len(leaders) <= 1
                led.extend((token, other) for token, other in leaders if token is not None)
                await asyncio.sleep(
                    1.6 * SECONDS if rounds == 5 else 0.15
                )  # the leader falls silent for longer than its lease
                rounds += rounds == 5

        await asyncio.gather(*(run(number) for number in range(3)))
        assert len({leader for _, leader in led}) >= 2
        assert [token for token, _ in led] == sorted(token for token, _ in led)
        assert len(set(led)) == len({token for token, _ in led})
