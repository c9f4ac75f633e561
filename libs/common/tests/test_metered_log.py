"""A metered log is the log that it measures, and what it counts is what was committed."""

from collections.abc import Callable, Iterator

import pytest
from prometheus_client import REGISTRY

from common.errors import Fenced
from common.eventlog import Consumer, EventLog, Record, Topic
from common.eventlog.memory import MemoryLog
from common.telemetry.eventlog import MeteredLog
from common.testing.eventlog_contract import Engine, EventLogContract

EVENTS, DEAD = "shop.events", "shop.dead-letters"


class MeteredEngine(Engine):
    def __init__(self) -> None:
        self._log = MemoryLog()
        self.log = MeteredLog(self._log, EVENTS, DEAD)

    def open(self) -> EventLog:
        return self.log

    def freeze(self, consumer: Consumer, group: str, member: str) -> None:
        self._log.expire(group, member)

    def compact(self) -> None:
        self._log.compact()


class TestMeteredLog(EventLogContract):
    @pytest.fixture
    def engine(self) -> Iterator[Engine]:
        yield MeteredEngine()


def total(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def growth(name: str, **labels: str) -> Callable[[], float]:
    before = total(name, **labels)
    return lambda: total(name, **labels) - before


@pytest.fixture
def memory() -> MemoryLog:
    log = MemoryLog()
    log.create([Topic("shop.commands", 1), Topic(EVENTS, 1), Topic(DEAD, 1)])
    return log


def consumer(memory: MemoryLog) -> Consumer:
    member = MeteredLog(memory, EVENTS, DEAD).consumer("shop.commands", group="g", member="0")
    memory.append([Record("shop.commands", "k", b"v")]).result()
    while not member.poll(1.0).records:
        pass
    return member


def test_what_was_committed_is_counted_by_what_it_did(memory: MemoryLog) -> None:
    member = consumer(memory)
    committed = growth("orderly_log_transactions_total", outcome="committed")
    changed, nothing = (growth("orderly_processor_inputs_total", effect=it) for it in ("changed", "nothing"))
    dead, records = growth("orderly_dead_letters_total"), growth("orderly_log_transaction_records_sum")
    with member.transaction() as transaction:
        transaction.send(Record(EVENTS, "k", b"", {"type": "StockReserved"}))
        transaction.send(Record(EVENTS, "k", b"", {"type": "Nothing"}))
        transaction.send(Record(DEAD, "k", b"", {}))
    assert (committed(), changed(), nothing(), dead(), records()) == (1, 1, 1, 1, 3)


def test_a_dead_letter_of_an_aborted_transaction_never_was(memory: MemoryLog) -> None:
    member = consumer(memory)
    aborted, dead = growth("orderly_log_transactions_total", outcome="aborted"), growth("orderly_dead_letters_total")
    with pytest.raises(ZeroDivisionError), member.transaction() as transaction:
        transaction.send(Record(DEAD, "k", b"", {}))
        raise ZeroDivisionError
    assert (aborted(), dead()) == (1, 0)


def test_who_was_fenced_is_counted_as_that(memory: MemoryLog) -> None:
    member = consumer(memory)
    fenced, committed = (growth("orderly_log_transactions_total", outcome=it) for it in ("fenced", "committed"))
    memory.expire("g", "0")
    with pytest.raises(Fenced), member.transaction() as transaction:
        transaction.send(Record(EVENTS, "k", b"", {"type": "Nothing"}))
    assert (fenced(), committed()) == (1, 0)


def test_an_empty_transaction_is_none(memory: MemoryLog) -> None:
    member = consumer(memory)
    committed = growth("orderly_log_transactions_total", outcome="committed")
    with member.transaction():
        pass
    with member.transaction():
        pass
    assert committed() == 0


def test_appends_are_counted_by_their_outcome(memory: MemoryLog) -> None:
    written, failed = (growth("orderly_log_appends_total", outcome=it) for it in ("written", "failed"))
    log = MeteredLog(memory, EVENTS, DEAD)
    log.append([Record("shop.commands", "k", b"v")]).result()
    assert (written(), failed()) == (1, 0)
