"""A partition of the memory log. The store's lock guards it."""

from bisect import bisect_left
from operator import attrgetter

from common.clock import MINUTE, Instant
from common.eventlog.port import Cleanup, Stored, Topic

_offset = attrgetter("offset")


class Partition:
    """`end` is one past the last offset; cleaning leaves gaps."""

    __slots__ = ("end", "number", "records")

    def __init__(self, number: int) -> None:
        self.number = number
        self.records: list[Stored] = []
        self.end = 0

    def start(self) -> int:
        return self.records[0].offset if self.records else self.end

    def read(self, position: int, limit: int) -> tuple[list[Stored], int]:
        """Records from `position` on, and where to go on."""
        without_gaps = len(self.records) == self.end
        first = max(position, 0) if without_gaps else bisect_left(self.records, position, key=_offset)
        found = self.records[first : first + limit]
        return found, found[-1].offset + 1 if first + limit < len(self.records) else max(position, self.end)

    def clean(self, topic: Topic, now: Instant) -> None:
        """Compaction and retention. A tombstone stays for a minute, so that readers hear of it."""
        if topic.cleanup is Cleanup.COMPACT:
            last = {record.key: record.offset for record in self.records}
            self.records = [
                record
                for record in self.records
                if record.offset == last[record.key] and (record.value is not None or now - record.at < MINUTE)
            ]
        elif topic.retention is not None:
            oldest = now - topic.retention
            self.records = [record for record in self.records if record.at >= oldest]
