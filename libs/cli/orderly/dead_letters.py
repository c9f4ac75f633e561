"""Dead letters: what could not be handled, why, and the way back.

A redrive appends the message to the topic it came from, as a new record that names the dead letter. Sent back twice it does
no harm: whatever it asks for happens once per order. The dead letter itself stays: it is history.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from common.eventlog import EventLog, Position, Record, Stored
from common.topology import PROCESSING_SERVICES, commands, dead_letters
from orderly import records
from orderly.failure import Failure

OPERATOR = "operator:cli"
REDRIVEN_FROM = "redriven_from"
WITHIN = 10.0  # seconds for the log to acknowledge


@dataclass(frozen=True, slots=True)
class DeadLetter:
    record: Stored
    service: str
    redriven: bool = False

    @property
    def position(self) -> str:
        return f"{self.record.partition}@{self.record.offset}"

    @property
    def reason(self) -> str:
        return self.record.headers.get("dead_reason", "parked: an operation failed too often, a person must look")

    @property
    def target(self) -> str:
        """Where it goes back to; empty for a timer or an answer, which is no message in the log and comes again by itself."""
        return self.record.headers.get("dead_topic", commands(self.service))


def find_all(log: EventLog, service: str | None = None) -> Iterator[DeadLetter]:
    """Oldest first within a service."""
    if service is not None and service not in PROCESSING_SERVICES:
        raise Failure(f"there is no service {service!r}", f"there are: {', '.join(PROCESSING_SERVICES)}")
    for name in PROCESSING_SERVICES if service is None else (service,):
        found = list(records.read(log, dead_letters(name)))
        redriven = _redriven(log, found, name)
        yield from (DeadLetter(it, name, records.at_place(it) in redriven) for it in found)


def find(log: EventLog, service: str, position: str) -> DeadLetter:
    for letter in find_all(log, service):
        if letter.position == position.replace("/", "@"):
            return letter
    raise Failure(f"{service} has no dead letter at {position}", f"look at: orderly dead-letters list {service}")


def redrive(log: EventLog, letter: DeadLetter) -> Position:
    """Raises Failure for a timer or an answer; LogError when the log does not acknowledge it."""
    if not letter.target:
        what = f"{letter.service} {letter.position} was a timer, or the answer to an effect"
        raise Failure(what, "it comes again by itself after a restart")
    record = letter.record
    kept = {name: value for name, value in record.headers.items() if not name.startswith("dead_")}
    headers = {**kept, "actor": OPERATOR, REDRIVEN_FROM: records.at_place(record)}
    partition = int(record.headers["dead_partition"]) if "dead_partition" in record.headers else None
    (position,) = log.append([Record(letter.target, record.key, record.value, headers, partition)]).result(WITHIN)
    return position


def _redriven(log: EventLog, letters: list[Stored], service: str) -> set[str]:
    """The places of those that were sent back already: the log says so."""
    topics: Mapping[str, None] = dict.fromkeys(it.headers.get("dead_topic", commands(service)) for it in letters)
    return {
        record.headers[REDRIVEN_FROM]
        for topic in topics
        if topic
        for record in records.read(log, topic)
        if REDRIVEN_FROM in record.headers
    }
