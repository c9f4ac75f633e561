"""Writes to the command topics what no client could, past the API: poison, and commands that were there before.

Each poison message must be in dead letters once, and nothing else may be there.
"""

import random
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from common.clock import system_clock
from common.codec import encode
from common.contracts.money import Money
from common.contracts.order import Line, PlaceOrder
from common.errors import LogError
from common.eventlog import EventLog, Record
from common.messages import Envelope
from common.topology import ORDER, PROCESSING_SERVICES, commands, dead_letters
from orderly import records

WITHIN = 30.0  # seconds for the log to take it
MARK = "poison-"
OPERATOR = "operator:faults"
TOO_LARGE = 1_010_000  # bytes: the log takes it; the record that it would lead to is larger than a record may be
BEFORE_THE_END = 100  # records: where duplicates are taken from, so that some meet a saga under way


def headers(type: str, key: str, schema: int = 1) -> dict[str, str]:
    return Envelope(uuid.uuid4().hex, type, schema, system_clock(), OPERATOR, correlation=key).headers()


def too_large(key: str) -> bytes:
    line = Line("fault-0", 1, Money(1, "EUR"))
    return encode(PlaceOrder(key, "customer-poison", (line,), "x" * TOO_LARGE, "-"))


def poisons(key: str) -> Mapping[str, Record]:
    """By name, for the topic of one service; the last one is for orders alone."""
    order = commands(ORDER)
    return {
        "undecodable": Record("", key, b"\xff\x00 no JSON", headers("PlaceOrder", key)),
        "empty": Record("", key, None, headers("PlaceOrder", key)),
        "no envelope": Record("", key, b"{}", {}),
        "unknown type": Record("", key, b"{}", headers("FlyToTheMoon", key)),
        "future schema": Record(order, key, b"{}", headers("PlaceOrder", key, schema=99)),
        "too large": Record(order, key, too_large(key), headers("PlaceOrder", key)),
    }


@dataclass
class Poisoner:
    """Belongs to one run. `sent`: keys of what the log has taken; `unsure`: of what it may have taken."""

    log: EventLog
    draw: random.Random
    sent: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)

    def poison(self) -> None:
        """One of each kind."""
        for service in PROCESSING_SERVICES:
            for name in poisons(""):
                key = f"{MARK}{uuid.uuid4().hex}"
                record = poisons(key)[name]
                if not record.topic:
                    self._send(Record(commands(service), key, record.value, record.headers))
                elif service == ORDER:
                    self._send(record)

    def repeat(self, count: int = 20) -> None:
        """Append again what is there already, as a sender does who did not hear that it was taken. What a processor sent
        is repeated under an operator's name, as by a redrive: two of its own would be a torn transaction (L10)."""
        found = [record for service in PROCESSING_SERVICES for record in self._recent(commands(service))]
        for record in self.draw.sample(found, min(count, len(found))):
            with suppress(LogError, TimeoutError):
                self.log.append([record]).result(WITHIN)

    def _recent(self, topic: str) -> list[Record]:
        ends = self.log.end_offsets(topic)
        reader = self.log.reader({(topic, it): max(0, end - BEFORE_THE_END) for it, end in ends.items()})
        try:
            found = reader.poll(1.0)
        finally:
            reader.close()
        fine = [it for it in found if not it.key.startswith(MARK)]
        return [Record(it.topic, it.key, it.value, _by_hand(it.headers), it.partition) for it in fine]

    def _send(self, record: Record) -> None:
        self.unsure.add(record.key)
        with suppress(LogError, TimeoutError):  # the log is away: it may have taken it all the same
            self.log.append([record]).result(WITHIN)
            self.unsure.remove(record.key)
            self.sent.add(record.key)

    def complaints(self) -> Sequence[str]:
        """What is wrong with the dead letters."""
        dead = [it for service in PROCESSING_SERVICES for it in records.read(self.log, dead_letters(service))]
        keys = [record.key for record in dead]
        missing = self.sent - set(keys)
        twice = {key for key in keys if keys.count(key) > 1}
        strange = [f"{it.key} ({it.headers})" for it in dead if it.key not in self.sent | self.unsure]
        return [
            *(f"{key} was sent and is in no dead letters" for key in sorted(missing)),
            *(f"{key} is in dead letters more than once" for key in sorted(twice)),
            *(f"{it} is in dead letters, and nobody sent it as poison" for it in strange),
        ]


def _by_hand(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {**headers, "actor": OPERATOR} if headers.get("actor", "").startswith("service:") else headers
