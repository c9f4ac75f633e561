"""One pass over a history: each record is read once, and handed to the laws that listen to its topic."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple, get_args

import msgspec

from common import topology
from common.codec import HistoryFrame, decode_history
from common.errors import Undecodable
from common.eventlog import Stored
from laws.facts import Fact
from laws.history import History
from laws.journal import JournalEntry
from laws.ledger import LedgerRow


class Decided(NamedTuple):
    """A record of a service's history: what one input made happen to one aggregate. `facts`: the events that laws need."""

    record: Stored
    frame: HistoryFrame
    facts: list[Fact]


class Unreadable(NamedTuple):
    """A record of a history that is none."""

    record: Stored
    reason: str


HearRecord = Callable[[Stored], None]
HearDecided = Callable[[Decided], None]
HearUnreadable = Callable[[Unreadable], None]
HearJournal = Callable[[str, JournalEntry], None]
HearLedger = Callable[[LedgerRow], None]


def _reader(kind: type[Fact]) -> Callable[[msgspec.Raw], Fact]:
    if kind.__struct_fields__:
        return msgspec.json.Decoder(kind).decode
    constant = msgspec.json.decode(b"{}", type=kind)
    return lambda data: constant


_READERS: Mapping[str, Callable[[msgspec.Raw], Fact]] = {kind.__name__: _reader(kind) for kind in get_args(Fact)}


def read(record: Stored) -> Decided | Unreadable:
    try:
        frame = decode_history(record.value or b"")
        facts = [_READERS[event.type](event.data) for event in frame.events if event.type in _READERS]
    except (Undecodable, msgspec.MsgspecError) as error:
        return Unreadable(record, str(error))
    return Decided(record, frame, facts)


class Stream:
    """Who listens to what. `run` calls them in the order of the records, so the same history gives the same verdicts."""

    def __init__(self) -> None:
        self._records: dict[str, list[HearRecord]] = defaultdict(list)
        self._decided: dict[str, list[HearDecided]] = defaultdict(list)
        self._unreadable: list[HearUnreadable] = []
        self._journal: list[HearJournal] = []
        self._ledger: list[HearLedger] = []

    def on_command(self, service: str, hear: HearRecord) -> None:
        self._records[topology.commands(service)].append(hear)

    def on_dead_letter(self, service: str, hear: HearRecord) -> None:
        self._records[topology.dead_letters(service)].append(hear)

    def on_decided(self, service: str, hear: HearDecided) -> None:
        self._decided[topology.events(service)].append(hear)

    def on_unreadable(self, hear: HearUnreadable) -> None:
        self._unreadable.append(hear)

    def on_journal(self, hear: HearJournal) -> None:
        """`hear(session, entry)`: what one session did, in its order."""
        self._journal.append(hear)

    def on_ledger(self, hear: HearLedger) -> None:
        self._ledger.append(hear)

    def run(self, history: History) -> None:
        """Journals, then the log, then the ledger: the order in which they are recorded."""
        for number, journal in enumerate(history.journals):
            for entry in journal:
                for hear_entry in self._journal:
                    hear_entry(f"{number}:{entry.client}", entry)
        for record in history.records:
            deciders = self._decided.get(record.topic)
            if deciders is None:
                for hear_record in self._records.get(record.topic, ()):
                    hear_record(record)
                continue
            found = read(record)
            if isinstance(found, Unreadable):
                for hear_unreadable in self._unreadable:
                    hear_unreadable(found)
                continue
            for hear_decided in deciders:
                hear_decided(found)
        for row in history.ledger or ():
            for hear_row in self._ledger:
                hear_row(row)


def at_place(record: Stored | tuple[str, int, int]) -> str:
    """`order.events/3@17`: how sentences name a position."""
    return f"{record[0]}/{record[1]}@{record[2]}"


def dead_place(letter: Stored) -> tuple[str, int, int] | None:
    """Where a poison message lay, if its dead letter tells."""
    topic, partition, offset = (letter.headers.get(f"dead_{name}", "") for name in ("topic", "partition", "offset"))
    if topic and partition.isdecimal() and offset.isdecimal():
        return topic, int(partition), int(offset)
    return None
