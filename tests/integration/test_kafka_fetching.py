"""How a broker is asked for records: not later than they can be had, and not more often than it pays."""

from collections.abc import Iterator
from typing import Any

import pytest

from common.eventlog import Record
from common.eventlog.kafka import KafkaConnection, KafkaLog, fetching
from tests.integration.administration import fresh

pytestmark = pytest.mark.kafka


@pytest.fixture
def log(kafka: str) -> Iterator[KafkaLog]:
    log = KafkaLog(KafkaConnection(kafka))
    yield log
    log.close()


def test_a_reader_of_a_long_partition_waits_for_nothing_that_nobody_has_asked_for(log: KafkaLog) -> None:
    topic = fresh()
    log.create([topic])
    log.append([Record(topic.name, "k", b"v" * 1000) for _ in range(2_000)]).result(20)
    reader = log.reader({(topic.name, 0): 0})
    assert sum(len(reader.poll(30.0, 1_000)) for _ in range(2)) == 2_000  # it would take longer than the test may
    reader.close()


def test_records_gather_while_they_come_fast(log: KafkaLog, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = fresh()
    log.create([topic])
    asked: list[tuple[int, int]] = []
    ask = fetching._request

    def spy(*arguments: Any, **more: Any) -> Any:
        request = ask(*arguments, **more)
        asked.append((request.max_wait_ms, request.min_bytes))
        return request

    monkeypatch.setattr(fetching, "_request", spy)
    monkeypatch.setattr(fetching, "GATHERING", 2_000)  # so that none has come to nothing before it is looked at
    reader = log.reader({(topic.name, 0): 0})
    at_once, gathering = (fetching.LONGEST_WAIT, 1), (fetching.GATHERING, fetching.GATHERED)
    for count, then in ((fetching.FAST - 1, at_once), (fetching.FAST, gathering), (1, at_once)):
        log.append([Record(topic.name, "k", b"v") for _ in range(count)]).result(20)
        seen = 0
        while seen < count:
            seen += len(reader.poll(5.0))
        reader.poll(0)  # asks for what comes next
        assert asked[-1] == then, count
    reader.close()
