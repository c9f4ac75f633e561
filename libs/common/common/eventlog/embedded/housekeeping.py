"""Compaction, retention and checkpoints, in steps so small that nobody waits for them.

- A compacted topic keeps the last record of each key; a tombstone goes after a minute, so that readers hear of it.
- Other topics lose what is older than their retention.
"""

from collections.abc import Iterator, Sequence
from itertools import takewhile

from common.clock import MINUTE, Instant
from common.eventlog.embedded.catalog import Catalog, Place
from common.eventlog.embedded.database import Database
from common.eventlog.port import Cleanup

STEP = 200  # records deleted in one transaction: about 1 ms
SCAN = 2_000  # records looked at in one go
CHECKPOINT_RECORDS = 1_500  # so much was written since the last one: some 10 MB
WORTHWHILE = 1_000  # a compacted partition is cleaned when so many records are new, and as many as were kept

Row = tuple[int, str, bool, Instant]  # offset, key, whether it is a tombstone, at


class Housekeeping:
    """What one pass does. Safe beside everything else, and beside another one; two would only do the work twice."""

    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database = database
        self._catalog = catalog
        self._checkpointed = 0.0

    def clean(self, now: Instant, *, eager: bool = False) -> None:
        """One pass over all topics. Eager: compact partitions even if it is hardly worth it."""
        for topic in self._catalog.topics().values():
            for place in self._catalog.places(topic.name):
                if topic.cleanup is Cleanup.COMPACT:
                    self._compact(place, now, eager)
                elif topic.retention is not None:
                    self._retire(place, now - topic.retention)

    def checkpoint(self, threshold: int = CHECKPOINT_RECORDS) -> None:
        """Move what was written into the file, so that no writer has to do it in the middle of a commit."""
        with self._database.reading() as sql:
            (written,) = sql.execute("SELECT total(next_offset) FROM partitions").fetchone()
        if written - self._checkpointed >= threshold:
            self._database.checkpoint()
            self._checkpointed = written

    def _retire(self, place: Place, oldest: Instant) -> None:
        """Records are in the order of their time, so the old ones are at the front."""
        doomed = [offset for offset, *_ in takewhile(lambda row: row[3] < oldest, self._scan(place, STEP))]
        self._delete(place, doomed)

    def _compact(self, place: Place, now: Instant, eager: bool) -> None:
        with self._database.reading() as sql:
            end, compacted, kept = sql.execute(
                "SELECT next_offset, compacted, kept FROM partitions WHERE topic=? AND partition=?",
                (place.topic_id, place.partition),
            ).fetchone()
        if not eager and end - compacted < max(WORTHWHILE, kept):
            return
        rows = list(self._scan(place, SCAN))
        last = {key: offset for offset, key, _, _ in rows}
        doomed = [
            offset for offset, key, tombstone, at in rows if last[key] != offset or (tombstone and at <= now - MINUTE)
        ]
        self._delete(place, doomed)
        with self._database.writing(durable=False) as sql:
            sql.execute(
                "UPDATE partitions SET compacted=?, kept=? WHERE topic=? AND partition=?",
                (end, len(rows) - len(doomed), place.topic_id, place.partition),
            )

    def _scan(self, place: Place, rows_at_once: int) -> Iterator[Row]:
        """All records of a partition, without their values; no reading transaction stays open over it."""
        after = -1
        while True:
            with self._database.reading() as sql:
                rows = sql.execute(
                    f"SELECT offset, key, value IS NULL, at FROM {place.table} WHERE offset > ? ORDER BY offset LIMIT ?",
                    (after, rows_at_once),
                ).fetchall()
            yield from rows
            if len(rows) < rows_at_once:
                return
            after = rows[-1][0]

    def _delete(self, place: Place, offsets: Sequence[int]) -> None:
        for start in range(0, len(offsets), STEP):
            with self._database.writing(durable=False) as sql:
                sql.executemany(
                    f"DELETE FROM {place.table} WHERE offset=?", [(offset,) for offset in offsets[start : start + STEP]]
                )
