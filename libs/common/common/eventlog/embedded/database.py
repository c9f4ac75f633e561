"""A connection of one thread to the log's file: transactions, and SQLite's errors in the words of the port."""

import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from common.errors import LogError, Unavailable
from common.eventlog.embedded.lock import WriteLock
from common.eventlog.embedded.schema import connect, prepare

PATIENCE = 5.0  # seconds for the write lock
_LONG = 2_000  # pages in the write-ahead log, 8 MB
_LOOK = 1.0  # seconds between two looks whether the file is still there

_ADVICE = {
    sqlite3.SQLITE_BUSY: "another program holds it; find it with `fuser` and end it",
    sqlite3.SQLITE_FULL: "the disk is full; nothing was written, and writing goes on by itself when there is space",
    sqlite3.SQLITE_IOERR: "the disk fails or is full; see the system's log",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; make sure that its directory exists and may be written",
    sqlite3.SQLITE_READONLY: "cannot be written; make sure that it is still there and that its permissions allow it",
}


def explain(error: Exception, path: Path) -> LogError:
    if isinstance(error, OSError):
        return Unavailable(f"{path}: {error.strerror}; make sure that its directory exists and may be written")
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the kind, the rest detail
    if code in _ADVICE:
        return Unavailable(f"{path}: {_ADVICE[code]} ({error})")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return LogError(
            f"{path}: not a log, or damaged ({error}); restore it from a backup, or move it away to begin anew"
        )
    return LogError(f"{path}: {error}")


class Database:
    """Read in `with reading() as sql`, write in `with writing() as sql`. Both raise LogError as far as the file is to blame.

    They are objects made once, not generators: a third of what a poll costs would be theirs.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self._path = path
        try:
            self._lock = WriteLock(path.with_name(path.name + ".lock"), PATIENCE)
        except OSError as error:
            raise explain(error, path) from error
        try:
            if create:
                prepare(path, self._lock)
            self._connection = connect(path, PATIENCE)
        except (sqlite3.Error, OSError) as error:
            self._lock.close()
            raise explain(error, path) from error
        except BaseException:
            self._lock.close()
            raise
        self._reading = Reading(path, self._connection)
        self._writing = Writing(path, self._connection, self._lock)

    def reading(self) -> "Reading":
        """One consistent moment. Takes no lock that a writer would wait for."""
        return self._reading

    def writing(self, *, durable: bool = True) -> "Writing":
        """All of the block or, when it raises, nothing. Not durable: a power failure may undo it, no crash of ours does."""
        self._writing.durable = durable
        return self._writing

    def checkpoint(self) -> None:
        """Move what the write-ahead log holds into the file, so that it starts over instead of growing.

        Beside the writers, who are always a little ahead; so now and then the rest of it while they wait.
        """
        try:
            _, frames, _ = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if frames > _LONG:
                with self._lock:
                    self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error as error:
            raise explain(error, self._path) from error

    def close(self) -> None:
        self._connection.close()
        self._lock.close()


class Reading:
    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._connection.execute("BEGIN")
        except sqlite3.Error as error:
            raise explain(error, self._path) from error
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _end(self._connection, "COMMIT")
        if isinstance(error, sqlite3.Error):
            raise explain(error, self._path) from error


class Writing:
    def __init__(self, path: Path, connection: sqlite3.Connection, lock: WriteLock) -> None:
        self.durable = True
        self._path = path
        self._connection = connection
        self._lock = lock
        self._synchronous = True  # as the connection has it
        self._looked = 0.0

    def __enter__(self) -> sqlite3.Connection:
        self._lock.__enter__()
        try:
            if time.monotonic() - self._looked > _LOOK:
                self._path.stat()  # a deleted file would take every write, for nobody
                self._looked = time.monotonic()
            if self._synchronous is not self.durable:
                self._connection.execute(f"PRAGMA synchronous={'FULL' if self.durable else 'NORMAL'}")
                self._synchronous = self.durable
            self._connection.execute("BEGIN IMMEDIATE")
        except BaseException as error:
            self._lock.__exit__()
            if isinstance(error, sqlite3.Error | OSError):
                raise explain(error, self._path) from error
            raise
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._connection.execute("COMMIT")
        except sqlite3.Error as failed:
            error = failed
        finally:
            _end(self._connection, "ROLLBACK")
            self._lock.__exit__()
        if isinstance(error, sqlite3.Error):
            raise explain(error, self._path) from error


def _end(connection: sqlite3.Connection, how: str) -> None:
    if connection.in_transaction:
        with suppress(sqlite3.Error):  # the first error is the one to tell
            connection.execute(how)
