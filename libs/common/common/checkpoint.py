"""Restart and hand-over: load the last checkpoints of a partition, then roll forward the events after them.

The state topic is compacted and holds, by partition: aggregate id → version, trace and state; and under `MARKER` the events
offset up to which those states are complete. Events at or before a state's version are skipped, so a marker may lag.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec

from common import topology
from common.codec import decode_history, encode
from common.decider import Behaviour
from common.errors import LogError
from common.eventlog import EventLog, Record, Stored

S = TypeVar("S")

MARKER = "*marker"  # no aggregate id has a star


class Aggregate(msgspec.Struct, Generic[S], frozen=True):
    """`trace` is the W3C traceparent of the last message that changed it: timers and effects go on under it."""

    version: int
    state: S
    trace: str = ""


@dataclass(slots=True)
class Shard(Generic[S]):
    """The state of one owned partition."""

    aggregates: dict[str, Aggregate[S]] = field(default_factory=dict)
    dirty: dict[str, None] = field(default_factory=dict)  # ordered sets: a replay writes the same records
    forgotten: dict[str, None] = field(default_factory=dict)
    rolled_to: int = 0  # the events offset that `aggregates` is complete up to
    marked: int = 0  # what the marker in the log says of that

    def forget(self, key: str) -> None:
        del self.aggregates[key]
        self.dirty.pop(key, None)
        self.forgotten[key] = None

    def clean(self) -> None:
        self.dirty.clear()
        self.forgotten.clear()
        self.marked = self.rolled_to


class Checkpoint(msgspec.Struct, frozen=True):
    """The value of a state record. The marker has the offset in `version` and no state."""

    version: int
    trace: str = ""
    state: msgspec.Raw = msgspec.Raw(b"null")


_decoder = msgspec.json.Decoder(Checkpoint)


def write(behaviour: Behaviour[S], shard: Shard[S], partition: int) -> list[Record]:
    """The records that bring the state topic up to date; the marker comes last. Empty when nothing changed."""
    if not shard.dirty and not shard.forgotten and shard.marked == shard.rolled_to:
        return []
    topic = topology.state(behaviour.service)
    records = [Record(topic, key, None, {}, partition) for key in shard.forgotten if key not in shard.aggregates]
    for key in shard.dirty:
        aggregate = shard.aggregates[key]
        value = Checkpoint(aggregate.version, aggregate.trace, msgspec.Raw(behaviour.dump(aggregate.state)))
        records.append(Record(topic, key, encode(value), {}, partition))
    records.append(Record(topic, MARKER, encode(Checkpoint(shard.rolled_to)), {}, partition))
    return records


def restore(
    behaviour: Behaviour[S], log: EventLog, partitions: Sequence[int], alive: Callable[[], None] = lambda: None
) -> dict[int, Shard[S]]:
    """The state of each partition as its last owner committed it. Calls `alive` again and again: it may take longer than a
    lease.

    Raises LogError on a gap in an aggregate's versions: the history is damaged, and deciding upon it would make it worse.
    """
    shards: dict[int, Shard[S]] = {partition: Shard() for partition in partitions}
    state, events = topology.state(behaviour.service), topology.events(behaviour.service)
    for record in read_all(log, state, dict.fromkeys(partitions, 0), alive):
        _load(behaviour, shards[record.partition], record)
    marks = {partition: shard.rolled_to for partition, shard in shards.items()}
    for record in read_all(log, events, marks, alive):
        _roll(behaviour, shards[record.partition], record)
    return shards


def read_all(log: EventLog, topic: str, start: Mapping[int, int], alive: Callable[[], None]) -> Iterator[Stored]:
    """Everything from the given offsets by partition to what is the end now."""
    ends = log.end_offsets(topic)
    reader = log.reader({(topic, partition): offset for partition, offset in start.items()})
    try:
        while any(offset < ends.get(partition, 0) for (_, partition), offset in reader.positions().items()):
            yield from reader.poll(1.0)
            alive()
    finally:
        reader.close()


def _load(behaviour: Behaviour[S], shard: Shard[S], record: Stored) -> None:
    if record.value is None:
        shard.aggregates.pop(record.key, None)
        return
    saved = _decoder.decode(record.value)
    if record.key == MARKER:
        shard.rolled_to = shard.marked = saved.version
    else:
        shard.aggregates[record.key] = Aggregate(saved.version, behaviour.load(bytes(saved.state)), saved.trace)


def _roll(behaviour: Behaviour[S], shard: Shard[S], record: Stored) -> None:
    frame = decode_history(record.value or b"")
    shard.rolled_to = record.offset + 1
    if not frame.events:
        return  # it changed nothing, perhaps of an aggregate that was finished and is forgotten
    known = shard.aggregates.get(record.key)
    version, state = (known.version, known.state) if known else (0, behaviour.initial)
    if frame.version <= version:
        return
    if frame.version - len(frame.events) != version:
        raise LogError(
            f"{record.topic}/{record.partition}@{record.offset}: {record.key} is at version {version}, this record leads "
            f"to {frame.version} by {len(frame.events)} events; the history has a gap, restore the log from a backup"
        )
    at = int(record.headers["at"])
    for event in frame.events:
        state = behaviour.evolve(state, behaviour.events.decode(event.type, event.v, event.data), at)
    shard.aggregates[record.key] = Aggregate(frame.version, state, record.headers.get("traceparent", ""))
    shard.dirty[record.key] = None
