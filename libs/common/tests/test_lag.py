"""A lag in seconds is never told too small, and grows while nothing is done."""

from common.eventlog import Stored
from common.telemetry.lag import Lag


def record(at: int) -> Stored:
    return Stored("t", 0, 0, "k", b"", {}, at)


def test_it_grows_until_something_is_done() -> None:
    now = 10_000
    lag = Lag(lambda: now)
    now = 13_000
    assert lag.seconds() == 3.0
    lag.idle()
    assert lag.seconds() == 0.0


def test_a_batch_is_as_late_as_its_oldest_record() -> None:
    lag = Lag(lambda: 10_000)
    lag.done([record(9_500), record(4_000), record(9_900)])
    assert lag.seconds() == 6.0


def test_a_clock_of_the_log_that_is_ahead_makes_no_negative_lag() -> None:
    lag = Lag(lambda: 10_000)
    lag.done([record(11_000)])
    assert lag.seconds() == 0.0
