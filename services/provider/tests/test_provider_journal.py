"""Group commit: together on the disk or not at all, and never stuck."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from common.errors import LogError, OrderlyError, Unavailable
from provider import ledger
from provider.journal import Journal

SCHEMA = "CREATE TABLE IF NOT EXISTS notes (text TEXT NOT NULL)"


class Refused(OrderlyError):
    pass


def note(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO notes VALUES ('something')")


def count(db: sqlite3.Connection) -> int:
    found: int = db.execute("SELECT count(*) FROM notes").fetchone()[0]
    return found


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = Journal(tmp_path / "notes.db", SCHEMA)
    yield journal
    journal.close()


async def test_a_crowd_shares_a_commit(journal: Journal) -> None:
    statements: list[str] = []
    await journal.run(lambda db: db.set_trace_callback(statements.append))
    await asyncio.gather(*(journal.run(note) for _ in range(200)))
    assert await journal.run(count) == 200
    assert statements.count("COMMIT") <= 5


async def test_what_was_acknowledged_is_there_after_reopening(tmp_path: Path) -> None:
    for expected in (1, 2):
        journal = Journal(tmp_path / "notes.db", SCHEMA)
        await journal.run(note)
        assert await journal.run(count) == expected
        journal.close()


async def test_a_refusal_is_an_outcome_of_its_job_alone(journal: Journal) -> None:
    def refuse(db: sqlite3.Connection) -> None:
        raise Refused

    outcomes = await asyncio.gather(journal.run(note), journal.run(refuse), journal.run(note), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), Refused, type(None)]
    assert await journal.run(count) == 2


async def test_a_full_disk_is_told_and_leaves_nothing_of_the_batch(journal: Journal) -> None:
    def overflow(db: sqlite3.Connection) -> None:
        db.execute("PRAGMA max_page_count = 20")
        db.execute("INSERT INTO notes VALUES (zeroblob(1000000))")

    outcomes = await asyncio.gather(journal.run(note), journal.run(overflow), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable, Unavailable]
    assert await journal.run(count) == 0


async def test_a_bug_in_a_job_does_not_stop_the_journal(journal: Journal) -> None:
    with pytest.raises(ZeroDivisionError):
        await journal.run(lambda db: 1 // 0)
    await journal.run(note)


async def test_a_caller_that_goes_away_does_not_stop_the_journal(journal: Journal) -> None:
    impatient = asyncio.create_task(journal.run(note))
    await asyncio.sleep(0)
    impatient.cancel()
    await journal.run(note)
    assert await journal.run(count) == 2, "it had been asked for, and it was done"


def test_where_there_is_no_ledger_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="there is no ledger"):
        list(ledger.read(tmp_path))
