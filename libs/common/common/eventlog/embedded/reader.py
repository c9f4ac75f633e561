"""Reads partitions from given positions, beside all writers."""

import time
from collections.abc import Mapping, Sequence

from common.eventlog.embedded import records
from common.eventlog.embedded.catalog import Place
from common.eventlog.embedded.database import Database
from common.eventlog.embedded.notify import Watcher
from common.eventlog.port import Stored
from common.eventlog.turns import in_turn


class EmbeddedReader:
    def __init__(self, database: Database, watcher: Watcher, positions: Mapping[Place, int]) -> None:
        self._database = database
        self._watcher = watcher
        self._positions = dict(positions)
        self._topic_ids = {place.topic_id for place in positions}
        self._turn = 0

    def poll(self, timeout: float, limit: int = 1000) -> Sequence[Stored]:
        until = time.monotonic() + timeout
        while True:
            found = self._read(limit)
            if found or time.monotonic() >= until:
                return found
            self._watcher.wait(until)

    def positions(self) -> Mapping[tuple[str, int], int]:
        return {(place.topic, place.partition): offset for place, offset in self._positions.items()}

    def close(self) -> None:
        self._watcher.close()
        self._database.close()

    def _read(self, limit: int) -> list[Stored]:
        positions = dict(self._positions)  # these become ours only if all goes well
        with self._database.reading() as sql:
            ends = {topic_id: records.ends(sql, topic_id) for topic_id in self._topic_ids}

            def read(place: Place, room: int) -> list[Stored]:
                end = ends[place.topic_id][place.partition]
                found, positions[place] = records.read(sql, place, positions[place], end, room)
                return found

            self._turn += 1
            behind = [place for place, at in positions.items() if at < ends[place.topic_id][place.partition]]
            found = in_turn(behind, self._turn, limit, read)
        self._positions = positions
        return found
