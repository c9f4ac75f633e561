"""A newcomer to a group gets its share without anybody's work being lost, in both engines that do the sharing themselves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.eventlog import EventLog, Record, Topic
from common.eventlog.embedded import EmbeddedLog
from common.eventlog.memory import MemoryLog


@pytest.fixture(params=["memory", "embedded"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventLog]:
    log: EventLog = MemoryLog() if request.param == "memory" else EmbeddedLog(tmp_path / "log.db")
    log.create([Topic("in", 4), Topic("out", 1)])
    log.append([Record("in", f"k{n}", b"", partition=n) for n in range(4)]).result(10)
    yield log
    log.close()


def test_what_a_member_has_in_hand_is_not_given_to_a_newcomer(log: EventLog) -> None:
    member, newcomer = (log.consumer("in", group="g", member=name) for name in ("member", "newcomer"))
    assert len(member.poll(0.0).records) == 4
    assert not newcomer.poll(0.0).gained
    assert not member.poll(0.0).lost
    with member.transaction() as transaction:
        transaction.send(Record("out", "k", b"of four inputs"))
    assert len(member.poll(0.0).lost) == 2
    assert len(newcomer.poll(0.0).gained) == 2
    assert log.committed("in", group="g") == {0: 1, 1: 1, 2: 1, 3: 1}
    member.close()
    newcomer.close()


def test_a_newcomer_beyond_the_partitions_waits_for_one_to_become_free(log: EventLog) -> None:
    members = [log.consumer("in", group="g", member=f"m{n}") for n in range(5)]
    for _ in range(3):
        for member in members:
            batch = member.poll(0.0)
            with member.transaction():
                pass
    assert not batch.gained
    members[0].close()
    assert len(members[-1].poll(0.0).gained) == 1
    for member in members[1:]:
        member.close()
