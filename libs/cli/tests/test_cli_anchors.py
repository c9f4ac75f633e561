"""Each way of tampering with the evidence is planted, and found."""

import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from common import topology
from common.eventlog import Record
from common.eventlog.embedded import EmbeddedLog
from common.security import audit
from orderly.anchors import Anchors
from orderly.evidence import ACTS, Item, Stream, lines, streams

KEY = b"k" * 32

Tamper = Callable[[list[Item]], object]


def stream_of(items: list[Item]) -> Stream:
    def read(start: int) -> Iterator[Item]:
        return (it for it in items if it[0] >= start)

    return read


def items(count: int) -> list[Item]:
    return [(number * 2, b"item %d" % number) for number in range(count)]  # a log may have gaps


@pytest.fixture
def anchors(tmp_path: Path) -> Anchors:
    return Anchors(tmp_path / "anchors.jsonl", KEY)


def test_what_nobody_touched_is_whole(anchors: Anchors) -> None:
    said = items(10)
    for count in (0, 3, 3, 7):
        anchors.add({"a": stream_of(said[:count])}, count)
    report = anchors.check({"a": stream_of(said)})
    assert (report.broken, report.anchors, report.covered, report.uncovered) == ([], 2, 7, 3)


TAMPERINGS: dict[str, Tamper] = {
    "changed": lambda said: said.__setitem__(1, (said[1][0], b"item 9")),
    "removed": lambda said: said.pop(1),
    "removed at a border": lambda said: said.pop(2),
    "the first removed": lambda said: said.pop(0),
    "inserted": lambda said: said.insert(1, (1, b"item")),
    "reordered": lambda said: said.__setitem__(slice(1, 3), [(said[1][0], said[2][1]), (said[2][0], said[1][1])]),
    "moved": lambda said: said.__setitem__(1, (3, said[1][1])),
    "tail cut off": lambda said: said.__delitem__(slice(6, None)),
    "all gone": lambda said: said.clear(),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_what_is_tampered_with_is_found_and_said_where(anchors: Anchors, name: str) -> None:
    said = items(10)
    for count in (3, 7):
        anchors.add({"a": stream_of(said[:count]), "b": stream_of(items(2))}, count)
    TAMPERINGS[name](said)
    (complaint,) = anchors.check({"a": stream_of(said), "b": stream_of(items(2))}).broken
    assert complaint.startswith("a: ")
    anchors.add({"a": stream_of(said), "b": stream_of(items(2))}, 9)
    assert anchors.check({"a": stream_of(said), "b": stream_of(items(2))}).broken, "a later anchor covers nothing up"


def test_a_stream_that_is_gone_is_missed(anchors: Anchors) -> None:
    anchors.add({"a": stream_of(items(3))}, 1)
    assert anchors.check({}).broken


ANCHOR_TAMPERINGS: dict[str, Callable[[list[bytes]], object]] = {
    "changed": lambda found: found.__setitem__(1, found[1].replace(b'"at":2', b'"at":7')),
    "removed": lambda found: found.pop(1),
    "reordered": lambda found: found.reverse(),
    "first removed": lambda found: found.pop(0),
    "no anchor": lambda found: found.__setitem__(1, b"{}"),
}


@pytest.mark.parametrize("name", ANCHOR_TAMPERINGS)
def test_an_anchor_that_is_tampered_with_is_found(anchors: Anchors, tmp_path: Path, name: str) -> None:
    said = items(10)
    for count in (1, 2, 3):
        anchors.add({"a": stream_of(said[:count])}, count)
    file = tmp_path / "anchors.jsonl"
    found = file.read_bytes().splitlines()
    ANCHOR_TAMPERINGS[name](found)
    file.write_bytes(b"\n".join(found) + b"\n")
    assert anchors.check({"a": stream_of(said)}).broken


def test_anchors_that_are_cut_off_or_forged_are_found_by_the_one_that_was_kept(
    anchors: Anchors, tmp_path: Path
) -> None:
    said = items(10)
    for count in (1, 2):
        anchors.add({"a": stream_of(said[:count])}, count)
    kept = anchors.check({"a": stream_of(said)}).last
    assert not anchors.check({"a": stream_of(said)}, kept).broken
    file = tmp_path / "anchors.jsonl"
    file.write_bytes(file.read_bytes().splitlines(keepends=True)[0])
    assert not anchors.check({"a": stream_of(said[:1])}).broken
    assert anchors.check({"a": stream_of(said[:1])}, kept).broken
    file.unlink()
    Anchors(file, b"x" * 32).add({"a": stream_of(said)}, 1)
    assert anchors.check({"a": stream_of(said)}).broken, "without the key there is no anchor"


STATEMENTS = {
    "changed": "UPDATE {table} SET value = CAST('two' AS BLOB)",
    "who": "UPDATE {table} SET headers = replace(headers, 'alice', 'bobby')",
    "removed": "DELETE FROM {table} WHERE offset = 1",
    "reordered": "UPDATE {table} SET offset = CASE offset WHEN 0 THEN 100 ELSE offset END",
    "tail cut off": "DELETE FROM {table} WHERE offset >= 2",
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_log_that_is_tampered_with_in_its_file_is_found(anchors: Anchors, tmp_path: Path, name: str) -> None:
    topic = topology.events("order")
    log = EmbeddedLog(tmp_path / "log.db")
    log.create(topology.topics(1))
    for number in range(4):
        log.append([Record(topic, f"o{number}", b'"one"', {"actor": "alice"})]).result()
    assert anchors.add(streams(log, tmp_path / "acts"), 1)
    assert not anchors.check(streams(log, tmp_path / "acts")).broken
    with sqlite3.connect(tmp_path / "log.db") as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        (table,) = [it for it in tables if _count(db, it) == 4 and "offset" in _columns(db, it)]
        db.execute(STATEMENTS[name].format(table=table))
    db.close()
    try:
        assert anchors.check(streams(log, tmp_path / "acts")).broken
    finally:
        log.close()


def test_acts_of_many_are_lines_of_one_file_and_part_of_the_evidence(anchors: Anchors, tmp_path: Path) -> None:
    file = tmp_path / "acts.jsonl"
    audit.keep(file)
    try:
        audit.denied("spiffe://x", "GET /v1/orders", "not a\ndeclared caller")
        audit.done("operator", "erased alice")
    finally:
        audit.keep(None)
    audit.denied("nobody", "anything", "is not kept any more")
    acts = {ACTS: partial(lines, file)}
    assert len(list(lines(file, 0))) == 2
    anchors.add(acts, 1)
    assert not anchors.check(acts).broken
    file.write_bytes(file.read_bytes().replace(b"alice", b"bobby"))
    assert anchors.check(acts).broken


def _count(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
