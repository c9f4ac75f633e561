"""A lease as a row of a SQLite file, for the processes of one machine: they share its clock."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import Unavailable

_DDL = """CREATE TABLE IF NOT EXISTS leases(
    name TEXT PRIMARY KEY, holder TEXT NOT NULL, token INTEGER NOT NULL, ends REAL NOT NULL) WITHOUT ROWID"""
_TAKE = """
INSERT INTO leases(name, holder, token, ends) VALUES (:name, :holder, 1, :now + :seconds)
ON CONFLICT(name) DO UPDATE SET
    token = token + (holder <> excluded.holder), holder = excluded.holder, ends = excluded.ends
WHERE holder = excluded.holder OR ends <= :now
RETURNING token
"""
_HOLDER = "SELECT holder FROM leases WHERE name = ? AND ends > ? AND holder <> ''"
_RELEASE = "UPDATE leases SET ends = 0, holder = '' WHERE name = ? AND holder = ?"


class SqliteLease:
    """`clock` in seconds, the same for all who share the file."""

    def __init__(self, path: Path, name: str, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._name = name
        self._clock = clock
        with self._explained():
            self._connection = sqlite3.connect(path, timeout=1.0, isolation_level=None)
            self._connection.execute(_DDL)

    async def take(self, holder: str, seconds: int) -> int | None:
        asked = {"name": self._name, "holder": holder, "now": self._clock(), "seconds": seconds}
        with self._explained():
            rows = self._connection.execute(_TAKE, asked).fetchall()
        return int(rows[0][0]) if rows else None

    async def holder(self) -> str | None:
        with self._explained():
            row = self._connection.execute(_HOLDER, (self._name, self._clock())).fetchone()
        return str(row[0]) if row else None

    async def release(self, holder: str) -> None:
        with self._explained():
            self._connection.execute(_RELEASE, (self._name, holder))

    async def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise Unavailable(f"{self._path}: {error}") from error
