"""Records a history from an event log, while the platform runs or after it has stopped.

Partitions cannot be seen all at one moment, so the order of looking is chosen such that every record's evidence is looked at
in time. First what was consumed and what commands there are: their outputs are in the histories, which are looked at next;
among these the orders first, for what an order has heard is in the histories of the others. Then once more what is consumed
and sent by now: whatever a seen history claims must be there.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from common.clock import Instant, Millis
from common.decider import Behaviour
from common.eventlog import EventLog, Stored
from common.topology import PROCESSING_SERVICES, commands, dead_letters, events, processor_group, state
from laws.history import PATIENCE, Cut, Documents, History, Place
from laws.journal import JournalEntry
from laws.ledger import LedgerRow

COMMANDS = tuple(commands(service) for service in PROCESSING_SERVICES)
DEAD_LETTERS = tuple(dead_letters(service) for service in PROCESSING_SERVICES)
EVENTS = tuple(events(service) for service in PROCESSING_SERVICES)  # orders first
STATES = tuple(state(service) for service in PROCESSING_SERVICES)


def gather(
    log: EventLog,
    *,
    now: Instant,
    settled: bool = False,
    patience: Millis = PATIENCE,
    whole_since: Instant = 0,
    models: Mapping[str, Documents] | None = None,
    behaviours: Mapping[str, Behaviour[Any]] | None = None,
    ledger: Iterable[LedgerRow] | None = None,
    journals: Iterable[Iterable[JournalEntry]] = (),
) -> History:
    """The log as it is now; reading it is left to the pass over it. Read the journals before, the ledger after: give an
    iterator of the ledger that opens it when it is first asked, and journals that end where they ended before this call."""
    consumed = _consumed(log)
    before = _ends(log, COMMANDS)
    states = _ends(log, STATES)
    histories = {place: end for topics in (EVENTS, DEAD_LETTERS) for place, end in _ends(log, topics).items()}
    consumed_after = _consumed(log)
    after = _ends(log, COMMANDS)
    starts = _starts(log, COMMANDS)
    cut = Cut(
        consumed=consumed,
        consumed_after=consumed_after,
        late=before,
        starts=starts,
        kept_since=_kept_since(log, starts, after, now),
    )
    return History(
        records=Recorded(log, {**after, **histories}),
        checkpoints=Recorded(log, states),
        now=now,
        cut=cut,
        settled=settled,
        patience=patience,
        whole_since=whole_since,
        models=models or {},
        behaviours=behaviours or {},
        ledger=ledger,
        journals=journals,
    )


@dataclass(frozen=True, slots=True)
class Recorded:
    """The records of a log up to the given ends: partition number by number, and within one number all topics in the order of
    time. An input, its history record and most of what it causes have one key, so they come one soon after the other, and
    a checker that waits for the other half of something waits for little. (In the order of time throughout it would be less,
    for as many open readers as there are partitions.)
    """

    log: EventLog
    ends: Mapping[Place, int]

    def __iter__(self) -> Iterator[Stored]:
        for number in sorted({partition for (_, partition), end in self.ends.items() if end}):
            lane = [(place, end) for place, end in self.ends.items() if place[1] == number and end]
            yield from heapq.merge(*(_read(self.log, place, end) for place, end in lane), key=attrgetter("at"))


def _read(log: EventLog, place: Place, end: int) -> Iterator[Stored]:
    reader = log.reader({place: 0})
    try:
        while reader.positions()[place] < end:
            for record in reader.poll(1.0):
                if record.offset < end:
                    yield record
    finally:
        reader.close()


def _ends(log: EventLog, topics: Iterable[str]) -> dict[Place, int]:
    return {(topic, partition): end for topic in topics for partition, end in log.end_offsets(topic).items()}


def _starts(log: EventLog, topics: Iterable[str]) -> dict[Place, int]:
    return {(topic, partition): start for topic in topics for partition, start in log.start_offsets(topic).items()}


def _consumed(log: EventLog) -> dict[Place, int]:
    return {
        (commands(service), partition): offset
        for service in PROCESSING_SERVICES
        for partition, offset in log.committed(commands(service), group=processor_group(service)).items()
    }


def _kept_since(log: EventLog, starts: Mapping[Place, int], ends: Mapping[Place, int], now: Instant) -> Instant:
    """Since when no command is missing: 0 if retention has removed none, else when the latest of the first records came."""
    firsts = [0]
    for place, start in starts.items():
        if start == 0:
            continue
        if start >= ends[place]:  # all gone: whatever was older than the retention may have been here
            firsts.append(now - (log.topics()[place[0]].retention or 0))
            continue
        reader = log.reader({place: start})
        try:
            firsts += [record.at for record in reader.poll(1.0, 1)]
        finally:
            reader.close()
    return max(firsts)
