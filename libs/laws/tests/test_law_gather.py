"""Recording a history from a log, and what is written down of it: the journal, the report."""

import json
from pathlib import Path

import pytest

from common.clock import MINUTE, Instant
from common.eventlog import Record
from common.eventlog.memory import MemoryLog
from common.topology import PROCESSING_SERVICES, commands, topics
from laws import EXIT, Journal, JournalEntry, Verdict, check_all, gather, overall, read_journal, report
from laws.testing import Script, valid
from laws.testing.script import PARTITIONS


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now: Instant = 0

    def __call__(self) -> Instant:
        return self.now


def logged(script: Script, hands: Hands | None = None) -> MemoryLog:
    """The script on a real log, and all of it consumed that the script consumed."""
    hands = hands or Hands()
    log = MemoryLog(hands)
    log.create(topics(PARTITIONS))
    for record in script.records:
        hands.now = record.at
        log.append([Record(record.topic, record.key, record.value, record.headers)]).result()
    for service in PROCESSING_SERVICES:
        consumer = log.consumer(commands(service), group=f"{service}-processor", member="m")
        with consumer.transaction():
            while consumer.poll(0).records:
                pass
        consumer.close()
    return log


def test_a_history_gathered_from_a_log_is_the_history_that_was_written() -> None:
    script = valid()
    history = gather(
        logged(script), now=script.now, settled=True, models=script.history().models, journals=script.journals
    )
    assert {(verdict.id, verdict.verdict, verdict.first) for verdict in check_all(history)} == {
        (f"L{number}", "holds", None) for number in range(1, 15)
    }
    assert sorted(history.records) == sorted(script.records)


def test_a_gathered_history_is_a_moment_and_does_not_grow() -> None:
    script = valid()
    log = logged(script)
    history = gather(log, now=script.now)
    wish = script.records[0]
    log.append([Record(wish.topic, wish.key, b"{}", {"type": "PlaceOrder"})]).result()
    assert len(list(history.records)) == len(script.records)


def test_what_retention_has_removed_is_not_missed() -> None:
    script = valid()
    hands = Hands()
    log = logged(script, hands)
    week = log.topics()[commands("order")].retention or 0
    hands.now = script.records[60].at + week
    log.compact()
    history = gather(log, now=hands.now, patience=MINUTE)
    assert history.cut.kept_since >= script.records[60].at
    assert not [verdict.first for verdict in check_all(history) if verdict.verdict != "holds"]
    assert len(list(history.records)) < len(script.records)


def test_a_damaged_log_is_reported_in_the_fixed_shape() -> None:
    script = valid()
    script.drop(script.records[-1])
    found = report(check_all(gather(logged(script), now=script.now, settled=True)))
    assert found["verdict"] == "broken"
    assert [law["id"] for law in found["laws"]] == [f"L{number}" for number in range(1, 15)]
    keys = {"id", "verdict", "checked", "broken", "first", "worst"}
    assert all(set(law) == keys for law in found["laws"])
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    ("outcomes", "together", "exit"),
    [((), "holds", 0), (("holds", "unknown"), "unknown", 2), (("unknown", "broken", "holds"), "broken", 1)],
)
def test_the_overall_verdict_is_the_worst_of_all(outcomes: tuple[str, ...], together: str, exit: int) -> None:
    verdicts = [Verdict("L1", "", outcome) for outcome in outcomes]  # type: ignore[arg-type]  # literals, by hand
    assert overall(verdicts) == together
    assert EXIT[overall(verdicts)] == exit


def test_a_journal_is_read_as_it_was_written(tmp_path: Path) -> None:
    entries = [
        JournalEntry(at=1, kind="intent", client="alice", idempotency_key="k", fingerprint="f"),
        JournalEntry(at=2, kind="ack", client="alice", idempotency_key="k", order_id="ord_1", code=202, token="t"),
        JournalEntry(at=3, kind="read", client="alice/2", order_id="ord_1", version=1, status="pending"),
        JournalEntry(at=4, kind="fail", client="alice", code=0),
    ]
    path = tmp_path / "journals" / "alice.jsonl"
    with Journal(path) as journal:
        for entry in entries[:2]:
            journal.write(entry)
    with Journal(path, durable=True) as journal:
        for entry in entries[2:]:
            journal.write(entry)
    assert list(read_journal(path)) == entries
    assert [entry.customer for entry in entries] == ["alice"] * 4
    assert json.loads(path.read_text().splitlines()[3]) == {"at": 4, "kind": "fail", "client": "alice"}


def test_a_torn_last_line_of_a_journal_was_never_acted_upon(tmp_path: Path) -> None:
    path = tmp_path / "torn.jsonl"
    path.write_bytes(b'{"at":1,"kind":"read","client":"a"}\n{"at":2,"kind":"re')
    assert [entry.at for entry in read_journal(path)] == [1]


def test_a_line_that_is_no_entry_is_named(tmp_path: Path) -> None:
    path = tmp_path / "wrong.jsonl"
    path.write_bytes(b'{"at":1,"kind":"guess","client":"a"}\n')
    with pytest.raises(ValueError, match=r"wrong\.jsonl:1: no journal entry"):
        list(read_journal(path))
