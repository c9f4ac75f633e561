"""The log from the command line's side: opened beside whoever writes it, read in the order of time."""

import base64
import heapq
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

from common.clock import rfc3339
from common.errors import LogError
from common.eventlog import EventLog, Stored
from orderly import keeping
from orderly.failure import Failure
from orderly.folder import Folder

BATCH = 500


@contextmanager
def log_of(folder: Folder) -> Iterator[EventLog]:
    """Whether the platform runs or not, as far as the engine can. Raises Failure where none ever ran."""
    try:
        log = keeping.open_engine(folder).open_log()
    except LogError as error:
        raise Failure(str(error)) from None
    try:
        yield log
    except LogError as error:
        raise Failure(str(error)) from None
    finally:
        log.close()


def check_topic(log: EventLog, topic: str) -> None:
    known = sorted(log.topics())
    if topic not in known:
        raise Failure(f"there is no topic {topic!r}", f"there are: {', '.join(known)}")


def read(log: EventLog, topic: str, *, partition: int | None = None, start: int = 0) -> Iterator[Stored]:
    """Everything that is there now, in the order of time over all partitions."""
    ends = log.end_offsets(topic)
    if partition is not None and partition not in ends:
        raise Failure(f"{topic} has no partition {partition}", f"it has {len(ends)}: 0 to {len(ends) - 1}")
    chosen = {it: end for it, end in ends.items() if partition in (None, it) and end > start}
    return heapq.merge(*(_one(log, topic, it, start, end) for it, end in chosen.items()), key=attrgetter("at"))


def follow(log: EventLog, positions: Mapping[tuple[str, int], int]) -> Iterator[Stored]:
    """What comes from these positions on. Never ends."""
    reader = log.reader(positions)
    try:
        while True:
            yield from reader.poll(1.0, BATCH)
    finally:
        reader.close()


def _one(log: EventLog, topic: str, partition: int, start: int, end: int) -> Iterator[Stored]:
    reader = log.reader({(topic, partition): start})
    try:
        while reader.positions()[topic, partition] < end:
            for record in reader.poll(0, BATCH):
                if record.offset < end:
                    yield record
    finally:
        reader.close()


def at_place(record: Stored) -> str:
    return f"{record.topic}/{record.partition}@{record.offset}"


def as_json(record: Stored) -> dict[str, Any]:
    """The value as JSON where it is JSON, else in base64; None is a tombstone."""
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "at": rfc3339(record.at),
        "key": record.key,
        "headers": dict(record.headers),
        "value": _value(record.value),
    }


def _value(value: bytes | None) -> Any:
    try:
        return None if value is None else json.loads(value)
    except ValueError:
        return {"base64": base64.b64encode(value or b"").decode()}
