"""The file of one generation: its tables, its settings, and what an error of SQLite means for it."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from common.errors import Unavailable

_DDL = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS documents(key TEXT PRIMARY KEY, version INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS entries(
    list TEXT NOT NULL, sort TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY(list, sort)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS positions(name TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
COMMIT;
"""

POSITIONS = "SELECT name, position FROM positions"


class Damaged(Unavailable):
    """The file is no read model, or not any more: it has to be built anew."""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """SQLite's errors as Damaged or Unavailable."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise Damaged(f"{path}: damaged ({error}); it is built anew from the log") from error
        raise Unavailable(f"{path}: {error}; make sure that the disk has space and the file may be written") from error


def create(path: Path) -> sqlite3.Connection:
    """The writing side's connection; makes the file and its tables when they are not there."""
    with explained(path):
        connection = _connect(path, "rwc")
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA cache_size=-4000")
            connection.execute("PRAGMA wal_autocheckpoint=8000")  # 32 MB: a page that changes often is moved once
            connection.executescript(_DDL)
        except BaseException:
            connection.close()
            raise
        return connection


def attach(path: Path) -> sqlite3.Connection:
    """A connection to look with."""
    with explained(path):
        connection = _connect(path, "rw")
        try:
            connection.execute("PRAGMA query_only=ON")
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def held(path: Path) -> Iterator[Mapping[str, int]]:
    """Its positions; nobody writes to it meanwhile."""
    with explained(path):
        connection = _connect(path, "rw")
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield dict(connection.execute(POSITIONS).fetchall())
        finally:
            connection.close()


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"file:{quote(str(path))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=5.0, isolation_level=None, check_same_thread=False)
