"""Retries stay within their budget, and hedges take the first answer."""

import asyncio
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.resilience.hedge import hedged
from common.resilience.retry import CEILING, FIRST_PAUSE, RESERVE, TRICKLE, Budget, pause


@given(
    share=st.sampled_from([0.0, 0.1, 0.5]),
    steps=st.lists(st.tuples(st.floats(0, 5), st.integers(0, 60), st.integers(0, 60)), max_size=60),
)
def test_retries_never_exceed_their_share_of_the_requests(
    share: float, steps: Sequence[tuple[float, int, int]]
) -> None:
    now, requests, retries = 0.0, 0, 0
    budget = Budget(share, lambda: now)
    for seconds, asked, failed in steps:
        now += seconds
        for _ in range(asked):
            budget.deposit()
        requests += asked
        retries += sum(budget.take() for _ in range(failed))
        assert retries <= RESERVE + share * requests + TRICKLE * now + 1e-6


def test_a_busy_client_has_saved_enough_for_a_restart_of_its_upstream() -> None:
    budget = Budget(0.1, lambda: 0.0)
    for _ in range(10_000):
        budget.deposit()
    assert sum(budget.take() for _ in range(1_000)) == CEILING


def test_the_budget_of_an_idle_client_comes_back() -> None:
    now = 0.0
    budget = Budget(0.1, lambda: now)
    while budget.take():
        pass
    now = 10.0
    assert sum(budget.take() for _ in range(100)) == pytest.approx(10 * TRICKLE, abs=1)


@given(st.integers(1, 6), st.integers(0, 1000))
def test_pauses_have_full_jitter_and_double(attempt: int, seed: int) -> None:
    assert 0 <= pause(attempt, random.Random(seed)) <= FIRST_PAUSE * 2 ** (attempt - 1)


async def test_a_quick_answer_needs_no_hedge() -> None:
    asked = 0

    async def ask() -> int:
        nonlocal asked
        asked += 1
        return asked

    assert await hedged(ask, 10, lambda: True) == 1
    assert asked == 1


async def test_a_late_one_is_overtaken_and_cancelled() -> None:
    cancelled = asyncio.Event()
    numbers = iter(range(2))

    async def ask() -> int:
        if (number := next(numbers)) == 0:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
        return number

    assert await hedged(ask, 0, lambda: True) == 1
    assert cancelled.is_set()


async def test_without_leave_to_hedge_it_waits_for_the_first() -> None:
    async def ask() -> str:
        await asyncio.sleep(0.01)
        return "first"

    assert await hedged(ask, 0, lambda: False) == "first"


async def test_only_when_both_fail_it_fails_with_the_first_error() -> None:
    errors = iter([OSError("first"), OSError("second")])

    async def ask() -> None:
        error = next(errors)
        await asyncio.sleep(0.01)
        raise error

    with pytest.raises(OSError, match="first"):
        await hedged(ask, 0, lambda: True)


async def test_a_caller_that_leaves_takes_both_attempts_along() -> None:
    in_work = 0

    async def ask() -> None:
        nonlocal in_work
        in_work += 1
        try:
            await asyncio.Event().wait()
        finally:
            in_work -= 1

    caller = asyncio.create_task(hedged(ask, 0, lambda: True))
    await asyncio.sleep(0.01)
    assert in_work == 2
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    assert in_work == 0
