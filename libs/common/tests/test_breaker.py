"""The circuit breaker, on a clock that stands still until it is told."""

import pytest

from common.errors import Refused
from common.resilience.breaker import MINIMUM, PAUSE, TRIALS, WINDOW, Breaker, State


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def breaker() -> tuple[Breaker, Clock]:
    clock = Clock()
    return Breaker("stock", 0.5, clock), clock


def state(it: Breaker) -> State:
    return it.state


def ask(it: Breaker, ok: bool | None, times: int = 1) -> None:
    for _ in range(times):
        it.record(it.admit(), ok)


def test_it_opens_when_half_of_the_requests_fail() -> None:
    it, _ = breaker()
    for _ in range(MINIMUM // 2):
        assert state(it) is State.CLOSED
        ask(it, True)
        ask(it, False)
    assert state(it) is State.OPEN
    with pytest.raises(Refused, match="stock"):
        it.admit()


def test_it_stays_closed_when_fewer_fail_or_too_few_were_asked() -> None:
    it, _ = breaker()
    ask(it, False, MINIMUM - 1)
    assert state(it) is State.CLOSED
    it, _ = breaker()
    for _ in range(100):
        ask(it, True, 2)
        ask(it, False)
    assert state(it) is State.CLOSED


def test_old_failures_slide_out_of_the_window() -> None:
    it, clock = breaker()
    ask(it, False, MINIMUM - 1)
    clock.now += WINDOW + 1
    ask(it, False)
    assert state(it) is State.CLOSED


def test_a_caller_that_left_says_nothing() -> None:
    it, _ = breaker()
    ask(it, None, 100)
    assert state(it) is State.CLOSED


def opened() -> tuple[Breaker, Clock]:
    it, clock = breaker()
    ask(it, False, MINIMUM)
    assert state(it) is State.OPEN
    return it, clock


def test_after_the_pause_a_few_are_let_through_and_close_it_when_all_succeed() -> None:
    it, clock = opened()
    clock.now += PAUSE
    assert state(it) is State.HALF_OPEN
    tickets = [it.admit() for _ in range(TRIALS)]
    with pytest.raises(Refused):
        it.admit()
    for ticket in tickets:
        it.record(ticket, True)
    assert state(it) is State.CLOSED


def test_one_failure_opens_the_half_open_one_for_twice_as_long() -> None:
    it, clock = opened()
    clock.now += PAUSE
    ask(it, True, TRIALS - 1)
    ask(it, False)
    assert state(it) is State.OPEN
    clock.now += 1.9 * PAUSE
    assert state(it) is State.OPEN
    clock.now += 0.1 * PAUSE
    assert state(it) is State.HALF_OPEN


def test_a_trial_whose_caller_left_makes_room_for_another() -> None:
    it, clock = opened()
    clock.now += PAUSE
    ask(it, None, 10)
    ask(it, True, TRIALS)
    assert state(it) is State.CLOSED


def test_what_was_let_through_before_says_nothing_about_the_state_after() -> None:
    it, clock = breaker()
    early = [it.admit() for _ in range(5)]
    ask(it, False, MINIMUM)
    clock.now += PAUSE
    it.admit()
    for ticket in early:
        it.record(ticket, False)
    assert state(it) is State.HALF_OPEN
    ask(it, True, TRIALS - 1)
    assert state(it) is State.HALF_OPEN  # the first trial is still in work
