"""Minutes of trouble under a constant load, on every platform: no law breaks, and every order ends."""

import os
from dataclasses import replace
from math import isfinite
from pathlib import Path

import pytest

from tests.faults.campaign import Outcome, run
from tests.faults.setting import SCALED, Setting

EMBEDDED, ONE_BROKER = Setting(), Setting("kafka")
THREE_BROKERS = Setting("kafka", brokers=3, scale=SCALED, rate=20)  # two cores carry no more of so many processes
KAFKA = [pytest.mark.kafka, pytest.mark.redis]
RATE = os.environ.get("ORDERLY_FAULTS_RATE")  # orders per second, instead of those above
SECONDS = float(os.environ.get("ORDERLY_FAULTS_SECONDS", "45"))  # of trouble, for each seed

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


@pytest.mark.parametrize(
    ("setting", "seed"),
    [
        pytest.param(EMBEDDED, 1, id="embedded-1"),
        pytest.param(ONE_BROKER, 2, id="kafka-one-broker-2", marks=KAFKA),
        pytest.param(THREE_BROKERS, 3, id="kafka-three-brokers-3", marks=KAFKA),
        pytest.param(THREE_BROKERS, 4, id="kafka-three-brokers-4", marks=KAFKA),
    ],
)
def test_all_laws_hold_whatever_is_killed_frozen_poisoned_or_repeated(
    setting: Setting, seed: int, outcomes: list[Outcome], tmp_path: Path
) -> None:
    outcome = run(seed, replace(setting, rate=float(RATE or setting.rate), seconds=SECONDS), tmp_path)
    outcomes.append(outcome)
    assert not outcome.wrong
    assert outcome.orders and all(isfinite(order.completed) for order in outcome.orders)
