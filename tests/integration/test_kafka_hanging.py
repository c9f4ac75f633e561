"""A broker that starts loses ends of transactions (see transactions.py): nothing is copied twice or lost all the same."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from common.errors import Fenced, Unavailable
from common.eventlog import Record
from common.eventlog.kafka import KafkaConnection, KafkaLog, transactions
from common.testing.eventually import eventually
from orderly.backing.private import Brokers
from tests.integration.administration import fresh, values

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

KILLS = 4
BATCH = 5
# A transaction of a killed broker is given up as soon as it is up again, at a moment when leaders are not chosen yet.
HASTY = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1"}


@pytest.fixture
def hasty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Brokers]:
    monkeypatch.setattr(transactions, "TIMEOUT", 1.0)
    brokers = Brokers.start(tmp_path, properties=HASTY)
    yield brokers
    brokers.stop()


class Copier:
    """Takes records and writes them again, each batch in a transaction."""

    def __init__(self, brokers: Brokers, count: int) -> None:
        self._brokers = brokers
        self._source, self._target = fresh(), fresh()
        self._dead: list[Callable[[], None]] = []
        self.begin()
        self.sent = [str(n) for n in range(count)]
        self.log.append([Record(self._source.name, "k", each.encode()) for each in self.sent]).result(20)
        self.copied = 0

    def begin(self) -> None:
        self.log = KafkaLog(KafkaConnection(self._brokers.bootstrap), lease=2_000)
        self.log.create([self._source, self._target])
        self._consumer = self.log.consumer(self._source.name, group="g", member="0")

    def copy(self, limit: int = BATCH) -> int:
        """How many were copied, as far as it is known. What really was committed tells where it goes on."""
        with suppress(Unavailable, Fenced):
            batch = self._consumer.poll(0.1, limit)
            with self._consumer.transaction() as transaction:
                for each in batch.records:
                    transaction.send(Record(self._target.name, each.key, each.value))
            self.copied += len(batch.records)
        return self.copied

    def over_a_death(self, after: float, *, together: bool) -> None:
        """Of the broker, and `together` with it of the process that copies: another one, of its name, goes on."""
        killer = threading.Timer(after, self._brokers.kill)
        killer.start()
        while killer.is_alive():
            self.copy()
        if together:
            self._dead += self._consumer.close, self.log.close  # it says no word more, and remembers nothing
        restarting = threading.Thread(target=self._brokers.restart)
        restarting.start()
        while together:
            with suppress(Unavailable):
                self.begin()
                together = False
        while restarting.is_alive():
            self.copy()
        restarting.join()

    def written(self) -> list[str]:
        return values(self.log, self._target.name)

    def close(self) -> None:
        for close in (self._consumer.close, self.log.close, *self._dead):
            close()


def test_transactions_over_the_death_of_a_broker_copy_everything_once(own: Brokers) -> None:
    copier = Copier(own, 300)
    for until in (100, 200):
        eventually(lambda until=until: copier.copy() >= until, within=60)  # type: ignore[misc]
        copier.over_a_death(0.02, together=False)
    eventually(lambda: (copier.copy(50), copier.written())[1], lambda seen: len(seen) >= 300, within=60)
    assert copier.written() == copier.sent
    copier.close()


@pytest.mark.parametrize("together", [False, True], ids=["alone", "together"])
def test_an_end_that_a_starting_broker_left_out_is_made_up_for(hasty: Brokers, together: bool) -> None:
    copier = Copier(hasty, 2 * KILLS * 50)
    for kill in range(KILLS):
        until = copier.copied + 30
        eventually(lambda until=until: copier.copy() >= until, within=60)  # type: ignore[misc]
        copier.over_a_death(0.01 * kill, together=together)
    eventually(lambda: copier.copy() and len(copier.written()) >= len(copier.sent), within=90)
    assert copier.written() == copier.sent
    copier.close()
