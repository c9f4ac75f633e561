"""Why the transactions are our own: what the network does to those of the client library, and that it does not to these."""

import math
from typing import Any

import pytest
from kafka.protocol.producer import EndTxnRequest

from common.eventlog.kafka.transactions import Transactions
from common.eventlog.kafka.wire import TRANSACTION, Wire, check
from tests.integration.exactly_once import deaths
from tests.integration.exactly_once.lab import EXACTLY_ONCE
from tests.integration.exactly_once.runs import laboratory, run
from tests.integration.exactly_once.schedules import (
    FLAWS,
    TROUBLES,
    Schedule,
    delayed_abort,
    delayed_commit,
    delayed_offsets,
    seeded,
)

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

CURED = "the client library is cured of this: if it is of all of these, eventlog/kafka/transactions.py may be dropped"


def by_name(schedule: Schedule) -> str:
    return "-".join(str(schedule.__doc__).split()).lower() if schedule in TROUBLES else schedule.__name__


def test_a_delayed_abort_makes_the_stock_client_lose_what_it_has_committed(kafka: str) -> None:
    assert run(kafka, "stock", delayed_abort).lost, CURED


def test_a_delayed_commit_makes_the_stock_client_leak_what_it_has_aborted(kafka: str) -> None:
    assert run(kafka, "stock", delayed_commit).leaked, CURED


def test_delayed_offsets_make_the_stock_client_handle_an_input_twice(kafka: str) -> None:
    assert run(kafka, "stock", delayed_offsets).doubled, CURED


@pytest.mark.parametrize("schedule", [*FLAWS, *TROUBLES], ids=by_name)
def test_ours_is_exactly_once(kafka: str, schedule: Schedule) -> None:
    assert run(kafka, "ours", schedule) == EXACTLY_ONCE


@pytest.mark.parametrize("seed", range(2))
def test_ours_is_exactly_once_under_random_faults(kafka: str, seed: int) -> None:
    assert run(kafka, "ours", seeded(seed, 200)) == EXACTLY_ONCE


def test_without_an_epoch_of_its_own_for_each_transaction_ours_would_be_no_better(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Transactions, "_end", end_as_before)
    monkeypatch.setattr(Wire, "line", always_the_same)
    assert run(kafka, "ours", delayed_commit).leaked
    assert run(kafka, "ours", delayed_offsets).doubled


async def always_the_same(self: Any, *_: Any) -> str:
    """Else a lost connection alone would bring another epoch."""
    return "line"


async def end_as_before(self: Any, *, committed: bool, until: float) -> None:
    """EndTxn up to version 4, sent again when its answer is lost: what clients do that do not know KIP-890."""
    producer, epoch = self._producer.identity

    async def attempt() -> None:
        request = EndTxnRequest(
            transactional_id=self._id, producer_id=producer, producer_epoch=epoch, committed=committed, max_version=4
        )
        node = await self._wire.coordinator(TRANSACTION, self._id)
        check((await self._wire.call(node, request)).error_code)

    await self._wire.persist(attempt, until)
    self._ended_at = math.inf  # the next is announced, and so waits for this end, which its writes might overtake
    self.sound = True


def test_a_frozen_owner_of_the_stock_recipe_commits_what_its_heir_has_committed(kafka: str) -> None:
    with laboratory(kafka, "stock") as lab:
        assert deaths.zombie(lab, "stock") == "committed", CURED
        lab.drain()
        assert lab.verdict().doubled, CURED


def test_a_frozen_owner_of_ours_is_refused(kafka: str) -> None:
    with laboratory(kafka, "ours") as lab:
        assert deaths.zombie(lab, "ours") == "Fenced"
        lab.drain()
        assert lab.verdict() == EXACTLY_ONCE


@pytest.mark.parametrize("restarted", [True, False], ids=["restarted", "for-ever"])
def test_killed_inside_a_transaction_it_leaves_nothing_and_readers_go_on(kafka: str, restarted: bool) -> None:
    with laboratory(kafka, "ours") as lab:
        deaths.killed(lab, "ours", restarted=restarted)
        lab.drain()
        assert lab.verdict() == EXACTLY_ONCE
