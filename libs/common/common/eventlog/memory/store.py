"""What the memory log holds. One lock guards all of it."""

import threading
import time
from collections import defaultdict
from collections.abc import Sequence

from common.clock import Clock
from common.errors import LogError, UnknownTopic
from common.eventlog.memory.group import Group
from common.eventlog.memory.partition import Partition
from common.eventlog.port import Position, Record, Stored, Topic, partition_of


class Store:
    """Except for `partition` and `place`, the caller holds `changed`."""

    def __init__(self, clock: Clock) -> None:
        self.changed = threading.Condition()
        self.clock = clock
        self.topics: dict[str, Topic] = {}
        self.partitions: dict[tuple[str, int], Partition] = {}
        self.groups: defaultdict[str, dict[str, Group]] = defaultdict(dict)  # group -> topic -> its members there
        self.sessions = 0

    def topic(self, name: str) -> Topic:
        topic = self.topics.get(name)
        if topic is None:
            raise UnknownTopic(f"topic {name}: was never created; create it before use")
        return topic

    def partition(self, topic: str, number: int) -> Partition:
        found = self.partitions.get((topic, number))
        if found is None:
            raise LogError(f"topic {topic}: no partition {number}, it has {self.topic(topic).partitions}")
        return found

    def place(self, record: Record) -> Partition:
        """Where the record goes; raises LogError before anything is written."""
        number = record.partition
        if number is None:
            number = partition_of(record.key, self.topic(record.topic).partitions)
        return self.partition(record.topic, number)

    def write(self, placed: Sequence[tuple[Partition, Record]]) -> list[Position]:
        """Every record has its place already, so this cannot fail half-way."""
        at = self.clock()
        positions = []
        for partition, record in placed:
            offset = partition.end
            partition.records.append(
                Stored(record.topic, partition.number, offset, record.key, record.value, dict(record.headers), at)
            )
            partition.end = offset + 1
            positions.append(Position(record.topic, partition.number, offset))
        self.changed.notify_all()
        return positions

    def new_session(self) -> int:
        self.sessions += 1
        return self.sessions

    def wait(self, deadline: float) -> bool:
        """Wait for a change until `deadline`. False when it has passed."""
        left = deadline - time.monotonic() if deadline else 0.0
        return left > 0 and self.changed.wait(left)
