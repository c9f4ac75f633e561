"""One row per operation, done or declined, never changed: for the merchant's questions and for the auditors.

The functions here run inside one transaction of the journal.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.clock import Instant
from common.contracts.payment import Operation
from common.errors import LogError, OrderlyError
from provider import cards
from provider.domain import Account, Instruction, decide

SCHEMA = """
CREATE TABLE IF NOT EXISTS operations (
    seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, key TEXT NOT NULL UNIQUE, operation TEXT NOT NULL, reference TEXT NOT NULL,
    amount INTEGER NOT NULL, currency TEXT NOT NULL, result TEXT NOT NULL, detail TEXT NOT NULL, fingerprint TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS accounts (
    reference TEXT PRIMARY KEY, status TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL, token TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failures (key TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
"""

_ENTRY = "seq, at, key, operation, reference, amount, currency, result, detail"


class KeyReused(OrderlyError):
    """Another instruction has this idempotency key."""


class Outage(OrderlyError):
    """The provider fails, as the card wants it to. Nothing happened."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation, as the ledger and every answer have it. No card data."""

    seq: int
    at: Instant
    key: str
    operation: Operation
    reference: str
    amount: int
    currency: str
    result: str
    detail: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """`lost`: this answer, the first, shall not reach the merchant."""

    entry: Entry
    lost: bool = False


def path(data: Path) -> Path:
    return data / "provider.db"


def perform(db: sqlite3.Connection, instruction: Instruction, token: str, at: Instant) -> Outcome:
    """Do it once; the same key gets the same answer ever after. `token` is the card as far as the caller knows it.
    Raises `KeyReused` and `Outage`."""
    known = db.execute(f"SELECT fingerprint, {_ENTRY} FROM operations WHERE key = ?", (instruction.key,)).fetchone()
    if known is None:
        return _perform_first(db, instruction, token, at)
    if known[0] != instruction.fingerprint:
        raise KeyReused(instruction.key)
    return Outcome(Entry(*known[1:]))


def find(db: sqlite3.Connection, key: str) -> Entry | None:
    row = db.execute(f"SELECT {_ENTRY} FROM operations WHERE key = ?", (key,)).fetchone()
    return Entry(*row) if row else None


def page(db: sqlite3.Connection, after: int, limit: int) -> Sequence[Entry]:
    rows = db.execute(f"SELECT {_ENTRY} FROM operations WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
    return [Entry(*row) for row in rows]


def read(data: Path) -> Iterator[Entry]:
    """The whole ledger, with or without a server running. Raises LogError when there is none."""
    if not path(data).is_file():
        raise LogError(f"{path(data)}: there is no ledger; is this the data folder of a platform that ran?")
    db = sqlite3.connect(f"{path(data).absolute().as_uri()}?mode=ro", uri=True)
    try:
        for row in db.execute(f"SELECT {_ENTRY} FROM operations ORDER BY seq"):
            yield Entry(*row)
    finally:
        db.close()


def _perform_first(db: sqlite3.Connection, instruction: Instruction, token: str, at: Instant) -> Outcome:
    account = _account(db, instruction.reference)
    card = cards.of(account.token or token)
    _fail_first(db, instruction.key, card.fails.get(instruction.operation, 0))
    verdict = decide(account, instruction, card.refused_because)
    after = verdict.account
    db.execute(
        "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?, ?)",
        (instruction.reference, after.status, after.amount, after.currency, after.token),
    )
    result = "declined" if verdict.declined else "done"
    values = (at, instruction.key, instruction.operation, instruction.reference, after.amount, after.currency, result)
    (seq,) = db.execute(
        "INSERT INTO operations (at, key, operation, reference, amount, currency, result, detail, fingerprint)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq",
        (*values, verdict.declined, instruction.fingerprint),
    ).fetchone()
    return Outcome(Entry(seq, *values, verdict.declined), card.loses_answers)


def _account(db: sqlite3.Connection, reference: str) -> Account:
    row = db.execute(
        "SELECT status, amount, currency, token FROM accounts WHERE reference = ?", (reference,)
    ).fetchone()
    return Account(*row) if row else Account()


def _fail_first(db: sqlite3.Connection, key: str, times: int) -> None:
    if times == 0:
        return
    row = db.execute("SELECT count FROM failures WHERE key = ?", (key,)).fetchone()
    count = row[0] if row else 0
    if count < times:
        db.execute("INSERT OR REPLACE INTO failures VALUES (?, ?)", (key, count + 1))
        raise Outage(f"failure {count + 1} of {times}")
