"""A broker that starts loses ends of transactions (see transactions.py): nothing is copied twice or lost all the same."""

import threading
from collections.abc import Iterator
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


def test_an_end_that_a_starting_broker_left_out_is_made_up_for(hasty: Brokers) -> None:
    log = KafkaLog(KafkaConnection(hasty.bootstrap), lease=2_000)
    source, target = fresh(), fresh()
    log.create([source, target])
    consumer = log.consumer(source.name, group="g", member="0")
    sent = [str(n) for n in range(2 * KILLS * 50)]
    log.append([Record(source.name, "k", each.encode()) for each in sent]).result(20)
    copied = 0

    def copy() -> int:
        nonlocal copied
        with suppress(Unavailable, Fenced):
            batch = consumer.poll(0.1, BATCH)
            with consumer.transaction() as transaction:
                for each in batch.records:
                    transaction.send(Record(target.name, each.key, each.value))
            copied += len(batch.records)
        return copied

    for kill in range(KILLS):
        until = copied + 30
        eventually(lambda until=until: copy() >= until, within=60)  # type: ignore[misc]
        killer = threading.Timer(0.01 * kill, hasty.kill)
        killer.start()
        while killer.is_alive():
            copy()
        hasty.restart()
    eventually(lambda: (copy(), copied)[1] and len(values(log, target.name)) >= len(sent), within=90)
    assert values(log, target.name) == sent
    consumer.close()
    log.close()
