"""Compaction and retention as time goes by, in both engines that have a clock."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.clock import MINUTE, Instant
from common.eventlog import Cleanup, EventLog, Record, Stored, Topic
from common.eventlog.embedded import EmbeddedLog
from common.eventlog.memory import MemoryLog

TABLE = Topic("table", 1, Cleanup.COMPACT)
JOURNAL = Topic("journal", 1, retention=10 * MINUTE)
HISTORY = Topic("history", 1)


@dataclass
class Bench:
    """A log, its clock, and its broom."""

    now: Instant = 1_000_000
    log: EventLog = None  # type: ignore[assignment]  # given right after: the log needs our clock
    clean: Callable[[], None] = lambda: None

    def put(self, topic: Topic, *pairs: tuple[str, bytes | None]) -> None:
        self.log.append([Record(topic.name, key, value) for key, value in pairs]).result(10)

    def read(self, topic: Topic) -> list[Stored]:
        reader = self.log.reader({(topic.name, 0): 0})
        try:
            return list(reader.poll(0.0))
        finally:
            reader.close()


@pytest.fixture(params=["memory", "embedded"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench()
    if request.param == "memory":
        memory = MemoryLog(clock=lambda: bench.now)
        bench.log, bench.clean = memory, memory.compact
    else:
        embedded = EmbeddedLog(tmp_path / "log.db", clock=lambda: bench.now)
        bench.log, bench.clean = embedded, lambda: embedded.housekeeping(bench.now, eager=True)
    bench.log.create([TABLE, JOURNAL, HISTORY])
    yield bench
    bench.log.close()


def test_a_tombstone_is_there_for_a_minute_and_then_gone(bench: Bench) -> None:
    bench.put(TABLE, ("a", b"1"), ("b", b"1"), ("a", None))
    bench.clean()
    assert [(each.key, each.value) for each in bench.read(TABLE)] == [("b", b"1"), ("a", None)]
    bench.now += MINUTE
    bench.put(TABLE, ("c", b"1"))
    bench.clean()
    assert [(each.key, each.value) for each in bench.read(TABLE)] == [("b", b"1"), ("c", b"1")]


def test_compaction_goes_on_where_it_stopped(bench: Bench) -> None:
    for n in range(5):
        bench.put(TABLE, *((f"k{key}", b"%d" % n) for key in range(3)))
        bench.clean()
        assert [(each.offset, each.value) for each in bench.read(TABLE)] == [
            (3 * n + key, b"%d" % n) for key in range(3)
        ]


def test_retention_removes_what_is_too_old(bench: Bench) -> None:
    bench.put(JOURNAL, *((f"old-{n}", b"") for n in range(450)))
    bench.now += 6 * MINUTE
    bench.put(JOURNAL, ("new", b""))
    bench.now += 5 * MINUTE
    bench.clean()
    assert [each.key for each in bench.read(JOURNAL)] == ["new"]
    assert bench.log.start_offsets("journal") == {0: 450}
    assert bench.log.end_offsets("journal") == {0: 451}


def test_offsets_are_not_used_again_when_everything_is_gone(bench: Bench) -> None:
    bench.put(JOURNAL, ("a", b""), ("b", b""))
    bench.now += 11 * MINUTE
    bench.clean()
    assert bench.read(JOURNAL) == []
    assert bench.log.start_offsets("journal") == bench.log.end_offsets("journal") == {0: 2}
    bench.put(JOURNAL, ("c", b""))
    assert [each.offset for each in bench.read(JOURNAL)] == [2]


def test_a_topic_without_retention_is_kept_for_ever(bench: Bench) -> None:
    bench.put(HISTORY, ("a", b"1"), ("a", b"2"))
    bench.now += 10_000_000 * MINUTE
    bench.clean()
    assert [each.value for each in bench.read(HISTORY)] == [b"1", b"2"]


def test_a_consumer_goes_on_at_the_first_record_that_is_left(bench: Bench) -> None:
    bench.put(JOURNAL, ("a", b""), ("b", b""))
    bench.now += 11 * MINUTE
    bench.put(JOURNAL, ("c", b""))
    bench.clean()
    consumer = bench.log.consumer("journal", group="g", member="m")
    assert [each.key for each in consumer.poll(0.0).records] == ["c"]
    with consumer.transaction():
        pass
    consumer.close()
    assert bench.log.committed("journal", group="g") == {0: 3}
