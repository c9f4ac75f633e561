"""What the audit looks at, as streams of numbered items: the events of all services, by partition, and the file of denials.

Every state change is an event with who, when, why (laws L11, L14), so that there is no second record of it that could differ.
"""

import getpass
import heapq
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from operator import itemgetter
from pathlib import Path

from msgspec.json import decode

from common import topology
from common.clock import rfc3339
from common.codec import decode_history, encode
from common.eventlog import EventLog, Stored
from common.security import audit
from orderly import records
from orderly.folder import Folder

ACTS = "acts"  # the stream of what no event tells

Item = tuple[int, bytes]  # where it stands, and all that it says
Stream = Callable[[int], Iterator[Item]]  # the items from a place on, as far as there are any now


def act(folder: Folder, what: str) -> None:
    """An operator did this at the command line, as this user of the machine."""
    audit.keep(folder.acts)
    audit.done(f"os:{getpass.getuser()}", what)


def streams(log: EventLog, acts: Path) -> Mapping[str, Stream]:
    found: dict[str, Stream] = {ACTS: partial(lines, acts)}
    for service in topology.PROCESSING_SERVICES:
        topic = topology.events(service)
        found |= {f"{topic}/{it}": partial(_records, log, topic, it) for it in log.end_offsets(topic)}
    return found


def told(log: EventLog, acts: Path, *, changes: bool) -> Iterator[dict[str, str]]:
    """For people, in the order of time. Without `changes`: of what no event tells alone."""
    yield from heapq.merge(_acts(acts), *(_changes(log) if changes else ()), key=itemgetter("at"))


def _acts(path: Path) -> Iterator[dict[str, str]]:
    for _, line in lines(path, 0):
        said = decode(line, type=dict[str, str])
        about = f"{said['why']} {said['trace_id']}".strip()
        yield {"at": said["at"], "kind": said["kind"], "who": said["who"], "what": said["what"], "about": about}


def _changes(log: EventLog) -> Iterator[Iterator[dict[str, str]]]:
    for service in topology.PROCESSING_SERVICES:
        yield (_change(it) for it in records.read(log, topology.events(service)) if it.headers["type"] != "Nothing")


def _change(record: Stored) -> dict[str, str]:
    cause = decode_history(record.value or b"").cause
    at, what = rfc3339(int(record.headers["at"])), record.headers["type"]
    about = f"{record.key} by {cause.type}, {records.at_place(record)}"
    return {"at": at, "kind": "change", "who": cause.actor, "what": what, "about": about}


def lines(path: Path, start: int) -> Iterator[Item]:
    """Whole ones only: the last may be on its way."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file):
            if number >= start and line.endswith(b"\n"):
                yield number, line


def _records(log: EventLog, topic: str, partition: int, start: int) -> Iterator[Item]:
    end = log.end_offsets(topic).get(partition, 0)
    if start >= end:
        return
    reader = log.reader({(topic, partition): start})
    try:
        while reader.positions()[topic, partition] < end:
            for record in reader.poll(1.0):
                if record.offset < end:
                    yield record.offset, _all_of(record)
    finally:
        reader.close()


def _all_of(record: Stored) -> bytes:
    return encode([record.key, sorted(record.headers.items()), record.at]) + b"\0" + (record.value or b"")
