"""The event log in one SQLite file: WAL, an fsync with every commit, for all processes and threads of one machine.

- What was acknowledged survives kill -9 of every process at any moment, and power failure as far as the disk keeps its word.
- Owners of partitions are fenced (see membership.py), writers take turns (see lock.py), waiting costs nothing (see notify.py).
- Limits: one writer at a time, about 2 000 commits/s; a process that is *frozen* while it writes stops the others from
  writing until it goes on or is killed (they raise `Unavailable` that names it); a network file system will not do.
"""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

from common.clock import Clock, Instant, Millis, system_clock
from common.eventlog.appending import Appender
from common.eventlog.embedded import records
from common.eventlog.embedded.appender import Commits
from common.eventlog.embedded.catalog import Catalog
from common.eventlog.embedded.consumer import EmbeddedConsumer
from common.eventlog.embedded.database import Database
from common.eventlog.embedded.housekeeper import Housekeeper
from common.eventlog.embedded.housekeeping import Housekeeping
from common.eventlog.embedded.membership import Membership
from common.eventlog.embedded.notify import Notifier, Watcher, meeting_place
from common.eventlog.embedded.reader import EmbeddedReader
from common.eventlog.port import Position, Record, Topic


class EmbeddedLog:
    """An `EventLog` in the file `path`, made when it is not there. Raises LogError that says what is wrong with it.

    `lease` is how long a silent member keeps its partitions, `capacity` how many appended records may wait to be written.
    With `housekeeping` this process is one of those of which one does it, in a thread of its own.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        clock: Clock = system_clock,
        lease: Millis = 5_000,
        capacity: int = 10_000,
        housekeeping: bool = False,
    ) -> None:
        self._path = Path(path)
        self._clock = clock
        self._lease = lease
        self._guard = threading.Lock()
        self._database = Database(self._path, create=True)
        try:
            self._meeting_place = meeting_place(self._path)
            self._notifier = Notifier(self._meeting_place)
        except BaseException:
            self._database.close()
            raise
        self._catalog = Catalog(self._database, self._guard)
        self._appender = Appender(lambda: Commits(self._open(), self._catalog, self._notifier, clock), capacity)
        self._housekeeper = Housekeeper(self._path, self._open, self._catalog, clock) if housekeeping else None

    def create(self, topics: Sequence[Topic]) -> None:
        self._catalog.create(topics)

    def topics(self) -> Mapping[str, Topic]:
        return self._catalog.topics()

    def append(self, records: Sequence[Record]) -> "Future[Sequence[Position]]":
        return self._appender.append(records)

    def consumer(self, topic: str, *, group: str, member: str) -> EmbeddedConsumer:
        places = self._catalog.places(topic)
        database = self._open()
        return EmbeddedConsumer(
            database,
            self._catalog,
            Membership(database, self._notifier, places, group, member, self._lease),
            places,
            self._notifier,
            Watcher(self._meeting_place, [places[0].topic_id]),
            self._clock,
        )

    def reader(self, positions: Mapping[tuple[str, int], int]) -> EmbeddedReader:
        places = {self._catalog.place(*where): offset for where, offset in positions.items()}
        topics = {place.topic_id for place in places}
        return EmbeddedReader(self._open(), Watcher(self._meeting_place, topics), places)

    def start_offsets(self, topic: str) -> Mapping[int, int]:
        places = self._catalog.places(topic)
        with self._guard, self._database.reading() as sql:
            ends = records.ends(sql, places[0].topic_id)
            firsts = {place.partition: records.first_offset(sql, place) for place in places}
        return {partition: ends[partition] if first is None else first for partition, first in firsts.items()}

    def end_offsets(self, topic: str) -> Mapping[int, int]:
        places = self._catalog.places(topic)
        with self._guard, self._database.reading() as sql:
            return records.ends(sql, places[0].topic_id)

    def committed(self, topic: str, *, group: str) -> Mapping[int, int]:
        places = self._catalog.places(topic)
        with self._guard, self._database.reading() as sql:
            return dict(
                sql.execute(
                    "SELECT partition, next_offset FROM offsets JOIN groups ON groups.id=grp"
                    " WHERE topic=? AND name=? AND next_offset IS NOT NULL",
                    (places[0].topic_id, group),
                ).fetchall()
            )

    def copies_missing(self) -> int:
        return 0

    def housekeeping(self, now: Instant, *, eager: bool = False) -> None:
        """Compaction and retention as of `now`: one pass, in this thread. Eager: even where it is hardly worth it."""
        database = self._open()
        try:
            Housekeeping(database, self._catalog).clean(now, eager=eager)
        finally:
            database.close()

    def close(self) -> None:
        if self._housekeeper is not None:
            self._housekeeper.close()
        self._appender.close()
        self._notifier.close()
        self._database.close()

    def _open(self) -> Database:
        return Database(self._path)
