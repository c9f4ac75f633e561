"""φ-accrual: suspicion grows with silence, and takes the habits of the sender into account."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.discovery.phi import LARGEST, Detector, phi


@given(st.floats(0, 100), st.floats(0.001, 10), st.floats(0.01, 10), st.floats(0.001, 10))
def test_suspicion_only_grows_with_silence(silence: float, more: float, mean: float, deviation: float) -> None:
    assert 0 <= phi(silence, mean, deviation) <= phi(silence + more, mean, deviation) <= LARGEST


@pytest.mark.parametrize(("deviations", "wrong"), [(0.0, 0.5), (1.2816, 0.1), (3.0902, 0.001)])
def test_phi_is_the_logarithm_of_being_wrong(deviations: float, wrong: float) -> None:
    assert 10 ** -phi(1.0 + deviations * 0.1, 1.0, 0.1) == pytest.approx(wrong, rel=0.01)


def suspicion(jitter: float, silence: float) -> float:
    dice = random.Random(1)
    now = 0.0
    detector = Detector(1.0, now)
    for _ in range(100):
        now += dice.gauss(1.0, jitter)
        detector.heartbeat(now)
    return detector.suspicion(now + silence)


def test_a_regular_heartbeat_is_missed_sooner_than_an_irregular_one() -> None:
    assert suspicion(0.01, 2.6) > 8 > suspicion(0.8, 2.6)
    assert suspicion(0.8, 10.0) > 8


def test_a_heartbeat_that_is_on_time_is_not_suspected() -> None:
    assert suspicion(0.05, 1.0) < 1


def test_few_heartbeats_are_judged_by_what_was_announced() -> None:
    detector = Detector(1.0, 0.0)
    assert detector.suspicion(1.0) < 1
    assert detector.suspicion(3.0) > 8
