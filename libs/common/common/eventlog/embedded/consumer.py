"""A member of a group: polls what it owns, and commits what it made of it together with how far it has read."""

import sqlite3
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import structlog

from common.clock import Clock
from common.errors import LogError, Unavailable
from common.eventlog.assignment import Assignment
from common.eventlog.embedded import records
from common.eventlog.embedded.catalog import Catalog, Place
from common.eventlog.embedded.database import Database
from common.eventlog.embedded.membership import Membership
from common.eventlog.embedded.notify import Notifier, Watcher
from common.eventlog.embedded.records import Placed
from common.eventlog.port import Batch, Position, Record, Stored

_log = structlog.get_logger("eventlog")


class EmbeddedConsumer:
    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        membership: Membership,
        places: Sequence[Place],
        notifier: Notifier,
        watcher: Watcher,
        clock: Clock,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._membership = membership
        self._places = places
        self._notifier = notifier
        self._watcher = watcher
        self._clock = clock
        self._assignment = Assignment()
        self._closed = False

    def poll(self, timeout: float, limit: int = 200) -> Batch:
        until = time.monotonic() + timeout
        while True:
            batch = self._look(limit)
            woken = self._watcher.woken()
            if batch.records or batch.gained or batch.lost or woken or time.monotonic() >= until:
                return batch
            self._watcher.wait(min(until, self._membership.renew_at))

    def seek(self, partition: int, offset: int) -> None:
        self._assignment.seek(partition, offset)

    def transaction(self) -> "EmbeddedTransaction":
        return EmbeddedTransaction(self, self._catalog)

    def wake(self) -> None:
        self._watcher.wake()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._membership.leave()
        except LogError as error:
            _log.warning("left without a word, the lease will run out", error=str(error))
        finally:
            self._watcher.close()
            self._database.close()

    def commit(self, placed: Sequence[Placed]) -> Sequence[Position]:
        uncommitted = self._assignment.uncommitted
        if not placed and not uncommitted:
            return ()
        try:
            with self._database.writing() as sql:
                self._membership.check(sql, self._assignment.owned)
                positions = records.write(sql, placed, self._clock())
                self._membership.advance(sql, uncommitted)
        except LogError:
            self._membership.forsake()
            raise
        except BaseException:
            self._assignment.rewind()
            raise
        self._assignment.committed()
        self._notifier.tell(records.topics_of(placed))
        return positions

    def abort(self) -> None:
        self._assignment.rewind()

    def _look(self, limit: int) -> Batch:
        with self._database.reading() as sql:
            if self._membership.settled(sql):
                return Batch(self._read(sql, limit))
        owned, anew = self._membership.keep(self._assignment.busy)
        gained, lost = self._assignment.update(owned, anew=anew)
        try:
            with self._database.reading() as sql:
                return Batch(self._read(sql, limit), gained, lost)
        except Unavailable:
            if not gained and not lost:
                raise
            return Batch((), gained, lost)  # they must not go untold

    def _read(self, sql: sqlite3.Connection, limit: int) -> list[Stored]:
        ends = records.ends(sql, self._places[0].topic_id)

        def fetch(partition: int, offset: int, limit: int) -> tuple[Sequence[Stored], int]:
            return records.read(sql, self._places[partition], offset, ends[partition], limit)

        return self._assignment.read(ends, limit, fetch)


class EmbeddedTransaction:
    def __init__(self, consumer: EmbeddedConsumer, catalog: Catalog) -> None:
        self._consumer = consumer
        self._catalog = catalog
        self._placed: list[Placed] = []
        self._positions: Sequence[Position] = ()

    @property
    def positions(self) -> Sequence[Position]:
        return self._positions

    def send(self, record: Record) -> None:
        self._placed.append(records.prepare(self._catalog, record))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if error is None:
            self._positions = self._consumer.commit(self._placed)
        else:
            self._consumer.abort()
