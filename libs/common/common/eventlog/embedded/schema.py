"""The tables of the log's file, and what is said when a file is not such a one.

Each partition's records have a table of their own, `records_<topic id>_<partition>`, in the order of their offsets: new ones
always go to its end, SQLite's cheapest insert. (In one table for all they would go into its middle: 2.5 times as many pages
written for a commit of 25 records to 36 partitions, and 1.5 times the CPU, measured.)
"""

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from common.errors import LogError
from common.eventlog.embedded.lock import WriteLock

APPLICATION = 0x4F72646C  # "Ordl": tells our files from those of other programs
VERSION = 2

DDL = """
CREATE TABLE topics(
    id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, partitions INTEGER NOT NULL, cleanup TEXT NOT NULL,
    retention INTEGER);
CREATE TABLE partitions(
    topic INTEGER NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL DEFAULT 0,
    compacted INTEGER NOT NULL DEFAULT 0, kept INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(topic, partition)) WITHOUT ROWID;
CREATE TABLE groups(
    id INTEGER PRIMARY KEY, topic INTEGER NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL,
    UNIQUE(topic, name));
CREATE TABLE members(
    session INTEGER PRIMARY KEY AUTOINCREMENT, grp INTEGER NOT NULL, name TEXT NOT NULL, lease INTEGER NOT NULL,
    expires INTEGER NOT NULL, UNIQUE(grp, name));
CREATE TABLE offsets(
    grp INTEGER NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER, session INTEGER,
    PRIMARY KEY(grp, partition)) WITHOUT ROWID;
"""

RECORDS = """
CREATE TABLE {table}(
    offset INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB, headers BLOB NOT NULL, at INTEGER NOT NULL)
"""


def connect(path: Path, timeout: float) -> sqlite3.Connection:
    """A connection to a file that exists already: one that vanished must not come back empty."""
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw",
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=500,  # a few for each partition
    )
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=OFF")
    connection.execute("PRAGMA wal_autocheckpoint=8000")  # 32 MB, for when nobody does it in time
    return connection


def prepare(path: Path, lock: WriteLock) -> None:
    """Make the file, or make sure that it is ours and that this program can read it."""
    with lock:
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        connection = connect(path, timeout=5.0)
        try:
            _prepare(connection, path)
        finally:
            connection.close()


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(
            f"BEGIN IMMEDIATE; {DDL} PRAGMA application_id={APPLICATION}; PRAGMA user_version={VERSION}; COMMIT"
        )
    elif application != APPLICATION:
        raise LogError(f"{path}: a database of another program; give the log a path of its own")
    elif version != VERSION:
        raise LogError(f"{path}: schema version {version}, this program knows {VERSION}; run the version that wrote it")
