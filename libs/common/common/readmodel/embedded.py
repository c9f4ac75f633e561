"""A read model in SQLite: a file per generation, with its checkpoint in the same file as the data.

synchronous=NORMAL: kill -9 loses nothing; a power failure may lose the last writes, data and checkpoint alike, and the
projector folds them again. A file that is damaged or gone is replaced by a new generation, which is served once it is rebuilt
from the log.
"""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

import msgspec
import structlog

from common.errors import Unavailable
from common.readmodel import store
from common.readmodel.bell import LOST_RING, Bell, touched
from common.readmodel.generations import EmbeddedGenerations
from common.readmodel.port import Document, Entry
from common.readmodel.store import Damaged

_GET_MANY = "SELECT key, version, body FROM documents WHERE key IN (SELECT value FROM json_each(?))"
_NEXT = "SELECT key, version, body FROM documents WHERE key > ? ORDER BY key LIMIT 1000"
_PUT = (
    "INSERT INTO documents(key, version, body) VALUES (?, ?, ?) ON CONFLICT(key)"
    " DO UPDATE SET version=excluded.version, body=excluded.body WHERE excluded.version > version"
)
_ENTER = "INSERT OR REPLACE INTO entries(list, sort, body) VALUES (?, ?, ?)"
_ADVANCE = (
    "INSERT INTO positions(name, position) VALUES (?, ?) ON CONFLICT(name)"
    " DO UPDATE SET position=excluded.position WHERE excluded.position > position"
)
_TICK = 0.02  # seconds between looks for a write by another process

_log = structlog.get_logger("readmodel")


def _keys(keys: Sequence[str]) -> tuple[str]:
    """The parameter of _GET_MANY: one statement for any number of keys."""
    return (msgspec.json.encode(list(keys)).decode(),)


class EmbeddedReadModel:
    """The writing side. It follows the served generation, looking which one that is whenever `generation` is asked for.

    With `generation` given it keeps to that one, made when it is not there: to build it beside the served one.
    """

    def __init__(self, directory: Path | str, bell: Bell, *, generation: str | None = None) -> None:
        self._generations = EmbeddedGenerations(Path(directory))
        self._bell = bell
        self._pinned = generation
        self._building = False
        bell.rung_here = bell.rung_here or generation is None
        self._name, self._connection = self._open()

    @property
    def generation(self) -> str:
        if self._pinned is None and not self._follows():
            self._connection.close()
            if self._building:  # and somebody else was faster
                self._generations.drop(self._name)
            self._name, self._connection = self._open()
        return self._name

    def load(self, keys: Sequence[str]) -> Mapping[str, Document]:
        with self._condemning():
            rows = self._connection.execute(_GET_MANY, _keys(keys)).fetchall()
        return {row[0]: Document._make(row) for row in rows}

    def documents(self) -> Iterator[Document]:
        last = ""
        with self._condemning():
            while rows := self._connection.execute(_NEXT, (last,)).fetchall():
                yield from map(Document._make, rows)
                last = rows[-1][0]

    def apply(self, documents: Sequence[Document], entries: Sequence[Entry], positions: Mapping[str, int]) -> None:
        sql = self._connection
        with self._condemning():
            sql.execute("BEGIN IMMEDIATE")
            try:
                self._refuse_replaced()
                sql.executemany(_PUT, documents)
                sql.executemany(_ENTER, entries)
                sql.executemany(_ADVANCE, positions.items())
                sql.execute("COMMIT")
            except BaseException:
                if sql.in_transaction:
                    sql.execute("ROLLBACK")
                raise
        self._bell.ring(touched(documents, entries, positions))

    def positions(self) -> Mapping[str, int]:
        with self._condemning():
            return dict(self._connection.execute(store.POSITIONS).fetchall())

    def serve(self) -> None:
        if self._building and self._generations.current() is None:
            self._generations.switch(self._name)
            self._building = False
            for older in takewhile(lambda name: name != self._name, self._generations.names()):
                self._generations.drop(older)
            _log.warning("read model is served", generation=self._name)

    def close(self) -> None:
        self._connection.close()

    def _follows(self) -> bool:
        """Whether this is the one that is served, or the one that will be."""
        served = self._generations.recent()
        return served == self._name or (
            served is None and self._building and self._generations.path(self._name).exists()
        )

    def _refuse_replaced(self) -> None:
        """What is written after the switch would be missing in the generation that is served. The switch holds this file."""
        if self._pinned is None and self._generations.current() not in (None, self._name):
            self._generations.forget()
            raise Unavailable(f"generation {self._name} of the read model is not served any more; another one is")

    def _open(self) -> tuple[str, sqlite3.Connection]:
        generations = self._generations
        self._building = False
        name = self._pinned or generations.current()
        if name is not None:
            try:
                return name, store.create(generations.path(name))
            except Damaged as error:
                if self._pinned is not None:
                    raise
                _log.error("read model is built anew", reason=str(error))
        name = generations.new()
        connection = store.create(generations.path(name))
        self._building = True
        _log.warning("read model is built anew", generation=str(generations.path(name)))
        return name, connection

    @contextmanager
    def _condemning(self) -> Iterator[None]:
        try:
            with store.explained(self._generations.path(self._name)):
                yield
        except Damaged:
            self._generations.condemn(self._name)
            raise


class EmbeddedView:
    """The asking side. Queries run on the event loop itself: they take some 10 µs and never wait for a writer (WAL).

    Raises Unavailable while nothing is served: at first, and from when a file is found damaged until it is rebuilt.
    """

    def __init__(self, directory: Path | str, bell: Bell) -> None:
        self._generations = EmbeddedGenerations(Path(directory))
        self._bell = bell
        self._name: str | None = None
        self._connection: sqlite3.Connection | None = None

    async def get(self, key: str) -> Document | None:
        rows = self._ask("SELECT key, version, body FROM documents WHERE key=?", (key,))
        return Document._make(rows[0]) if rows else None

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, Document]:
        return {row[0]: Document._make(row) for row in self._ask(_GET_MANY, _keys(keys))}

    async def list(self, name: str, *, after: str = "", limit: int = 50, newest_first: bool = False) -> Sequence[Entry]:
        beyond = f"AND sort {'<' if newest_first else '>'} ?" if after else ""
        order = "DESC" if newest_first else "ASC"
        query = f"SELECT list, sort, body FROM entries WHERE list=? {beyond} ORDER BY sort {order} LIMIT ?"
        return [Entry._make(row) for row in self._ask(query, (name, after, limit) if after else (name, limit))]

    async def positions(self) -> Mapping[str, int]:
        return dict(self._ask(store.POSITIONS, ()))

    async def changed(self, name: str, within: float) -> None:
        within = min(within, LOST_RING)
        if self._bell.rung_here:
            return await self._bell.wait(name, within)
        loop = asyncio.get_running_loop()
        until, before = loop.time() + within, self._version()
        while (left := until - loop.time()) > 0 and self._version() == before:
            await self._bell.wait(name, min(left, _TICK))
        return None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _version(self) -> object:
        """Differs when another connection has written, or another generation is served."""
        try:
            return self._name, self._ask("PRAGMA data_version", ())
        except Unavailable:
            return None

    def _ask(self, query: str, parameters: tuple[object, ...]) -> "Sequence[tuple[Any, ...]]":
        self._bell.look()
        try:
            connection = self._served()
            if connection is None:
                raise Unavailable("no read model is served yet: it is being built")
            with store.explained(self._generations.path(self._name or "")):
                return connection.execute(query, parameters).fetchall()
        except Damaged:
            if self._name is not None:
                self._generations.condemn(self._name)
            raise

    def _served(self) -> sqlite3.Connection | None:
        served = self._generations.recent()
        if served != self._name:
            self.close()
            self._name = self._connection = None
            if served is not None:
                self._connection = store.attach(self._generations.path(served))
                self._name = served
        return self._connection
