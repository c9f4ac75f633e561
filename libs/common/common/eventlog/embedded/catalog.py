"""The topics of a log, known to all threads of a process; what another process has created is found when it is asked for."""

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from common.errors import LogError, UnknownTopic
from common.eventlog.embedded.database import Database
from common.eventlog.embedded.schema import RECORDS
from common.eventlog.port import Cleanup, Record, Topic, partition_of


class Place(NamedTuple):
    """A partition, and where its records are."""

    topic: str
    partition: int
    topic_id: int
    table: str


class Catalog:
    """Reads with a connection that it shares with others, under `guard`."""

    def __init__(self, database: Database, guard: threading.Lock) -> None:
        self._database = database
        self._guard = guard
        self._topics: dict[str, Topic] = {}
        self._places: dict[str, Sequence[Place]] = {}

    def topics(self) -> Mapping[str, Topic]:
        with self._guard, self._database.reading() as sql:
            rows = sql.execute("SELECT id, name, partitions, cleanup, retention FROM topics ORDER BY id").fetchall()
        for id, name, partitions, cleanup, retention in rows:
            self._topics[name] = Topic(name, partitions, Cleanup(cleanup), retention)
            self._places[name] = [Place(name, number, id, _table(id, number)) for number in range(partitions)]
        return dict(self._topics)

    def create(self, topics: Sequence[Topic]) -> None:
        known = self.topics()
        if all(known.get(topic.name) == topic for topic in topics):
            return
        with self._guard, self._database.writing() as sql:
            for topic in topics:
                self._create(sql, topic)
        self.topics()

    def places(self, topic: str) -> Sequence[Place]:
        """All partitions of the topic, by number."""
        found = self._places.get(topic)
        if found is None:
            self.topics()
            found = self._places.get(topic)
        if found is None:
            raise UnknownTopic(f"topic {topic}: was never created; create it before use")
        return found

    def place(self, topic: str, partition: int) -> Place:
        places = self.places(topic)
        if not 0 <= partition < len(places):
            raise LogError(f"topic {topic}: no partition {partition}, it has {len(places)}")
        return places[partition]

    def place_of(self, record: Record) -> Place:
        """Where the record goes."""
        if record.partition is None:
            places = self._places.get(record.topic) or self.places(record.topic)
            return places[partition_of(record.key, len(places))]
        return self.place(record.topic, record.partition)

    def _create(self, sql: sqlite3.Connection, topic: Topic) -> None:
        settings = (topic.name, topic.partitions, topic.cleanup.value, topic.retention)
        found = sql.execute("SELECT id, name, partitions, cleanup, retention FROM topics WHERE name=?", (topic.name,))
        for _, *known in found.fetchall():
            if tuple(known) != settings:
                raise LogError(f"{topic} exists as {known}: settings are for life; use these, or another name")
            return
        id = (
            sql.execute(
                "INSERT INTO topics(name, partitions, cleanup, retention) VALUES (?, ?, ?, ?)", settings
            ).lastrowid
            or 0
        )
        for number in range(topic.partitions):
            sql.execute("INSERT INTO partitions(topic, partition) VALUES (?, ?)", (id, number))
            sql.execute(RECORDS.format(table=_table(id, number)))


def _table(topic_id: int, partition: int) -> str:
    return f"records_{topic_id}_{partition}"
