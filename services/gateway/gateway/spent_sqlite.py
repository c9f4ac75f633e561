"""The shelf as a SQLite file, for the gateways of one machine."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from common.clock import Instant
from common.errors import Unavailable

_DDL = "CREATE TABLE IF NOT EXISTS spent(id TEXT PRIMARY KEY, expires INTEGER NOT NULL) WITHOUT ROWID"


class SqliteShelf:
    """An id is on disk before `add` returns: a gateway that is killed forgets nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._explained():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=1.0, isolation_level=None)
            path.chmod(0o600)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute(_DDL)

    async def add(self, id: str, expires: Instant) -> bool:
        with self._explained():
            return self._connection.execute("INSERT OR IGNORE INTO spent VALUES (?, ?)", (id, expires)).rowcount == 1

    async def all(self, now: Instant) -> Mapping[str, Instant]:
        with self._explained():
            found = dict(self._connection.execute("SELECT id, expires FROM spent"))
            kept = {id: expires for id, expires in found.items() if expires > now}
            if len(kept) < len(found):
                self._connection.execute("DELETE FROM spent WHERE expires <= ?", (now,))
        return kept

    async def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise Unavailable(f"{self._path}: {error}; try again") from error
