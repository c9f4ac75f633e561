"""A loop's promises: no error ends it, none hides, and what hangs is seen."""

import threading
import time
from collections.abc import Iterator

import pytest

from common.errors import Fenced, Unavailable
from common.runtime import Loop
from common.testing.eventually import eventually


class Work:
    """Fails as it is told, then works; remembers what was asked of it."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.done = threading.Event()
        self.recovered = 0
        self.closed = False

    def step(self, timeout: float) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.done.wait(timeout)

    def recover(self) -> None:
        self.recovered += 1
        raise OSError("still away")

    def close(self) -> None:
        self.closed = True


def loop_of(work: Work) -> Loop:
    return Loop("work", work.step, wake=work.done.set, recover=work.recover, close=work.close, idle=0.01)


@pytest.fixture
def failing() -> Iterator[tuple[Work, Loop]]:
    work = Work(Unavailable("away"), Fenced("late"), RuntimeError("a bug"))
    loop = loop_of(work)
    yield work, loop
    loop.stop()
    assert loop.join(10)
    assert work.closed


def test_no_error_ends_a_loop_and_each_is_recovered_from(failing: tuple[Work, Loop]) -> None:
    work, loop = failing
    assert loop.check() == "not started"
    loop.start()
    eventually(loop.check, lambda failure: failure is None)
    assert (work.errors, work.recovered) == ([], 3)


def test_a_loop_that_fails_again_and_again_says_why() -> None:
    loop = loop_of(Work(*[RuntimeError("a bug")] * 1000))
    loop.start()
    assert eventually(loop.check, lambda failure: failure != "not started") == "RuntimeError: a bug"
    assert loop.pulse.check() is None
    loop.stop()
    assert loop.join(10)


def test_a_step_that_hangs_stops_the_pulse() -> None:
    hanging = threading.Event()
    loop = Loop("work", lambda timeout: hanging.wait(), wake=lambda: None, longest_step=0.05)
    loop.start()
    assert "no progress" in (eventually(loop.pulse.check) or "")
    loop.stop()
    hanging.set()
    assert loop.join(10)


def test_a_slow_failure_and_a_slow_recovery_are_not_one_long_step() -> None:
    seen: list[str | None] = []

    def step(timeout: float) -> None:
        time.sleep(1.1)
        raise Unavailable("away, which took some time to learn")

    loop = Loop("work", step, recover=lambda: seen.append(loop.pulse.check()), longest_step=1.0)
    loop.start()
    assert eventually(lambda: seen) == [None]
    loop.stop()
    assert loop.join(10)
