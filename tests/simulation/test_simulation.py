"""No schedule that the guarantees allow breaks a law."""

import os

import pytest

from tests.simulation import runner
from tests.simulation.plan import KINDS, draw
from tests.simulation.schedule import digest

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(600)]

FIRST = int(os.environ.get("ORDERLY_FIRST_SEED", "0"))
SCHEDULES = 10_000

OUTCOMES = (
    "OrderConfirmed",
    "OrderCancelled",
    "CancellationRequested",
    "CancellationRefused",
    "StockRefused",
    "StepTimedOut",
    "PaymentDeclined",
    "PaymentVoided",
    "PaymentParked",
    "HoldsSwept",
)
TROUBLES = (
    "crashes",
    "freezes",
    "fenced",
    "cut off",
    "left",
    "duplicates",
    "clock set back",
    "late arrivals",
    "redriven",
)


def test_ten_thousand_schedules_break_no_law(capsys: pytest.CaptureFixture[str]) -> None:
    report = runner.many(range(FIRST, FIRST + SCHEDULES))
    with capsys.disabled():
        print(f"\n{report}")
    assert not report.failures, runner.explain(report.failures[0])
    rare = {name: report.seen[name] for name in (*OUTCOMES, *TROUBLES) if report.seen[name] < SCHEDULES // 100}
    assert not rare, f"this hardly happens, so nothing is proven of it: {rare}"


def test_a_seed_is_the_same_schedule_to_the_last_byte_in_every_process() -> None:
    plans = [draw(seed, frozenset(KINDS)) for seed in range(5)]
    with runner.workers(1) as pool:
        elsewhere = list(pool.map(digest, plans))
    assert [digest(plan) for plan in plans] == elsewhere
    assert len(set(elsewhere)) == len(plans)
