"""L11: an input is consumed exactly if its output exists: one history record, or one dead letter."""

from collections import defaultdict
from dataclasses import dataclass, field

import msgspec

from common.clock import Instant
from common.eventlog import Stored
from common.topology import PROCESSING_SERVICES
from laws.history import History, Place
from laws.stream import Decided, Stream, at_place, dead_place
from laws.verdict import Tally, Verdict

PAGE = 4096


class Input(msgspec.Struct, frozen=True, gc=False):
    """An input as its own record shows it, or as its output names it; `where` that record is."""

    id: str
    type: str
    key: str
    at: Instant
    where: tuple[str, int, int]

    def agrees(self, other: "Input") -> bool:
        return (self.id, self.type, self.key) == (other.id, other.type, other.key)

    def __str__(self) -> str:
        return f"{self.type} {self.id} of {self.key}"


def _pages() -> dict[int, bytearray]:
    return defaultdict(lambda: bytearray(PAGE))


@dataclass(slots=True)
class Partition:
    """The inputs of one partition, by offset, as far as they still wait for their counterpart."""

    inputs: dict[int, Input] = field(default_factory=dict)  # without an output so far
    outputs: dict[int, Input] = field(default_factory=dict)  # without an input so far
    done: dict[int, bytearray] = field(default_factory=_pages)  # one byte for each output that there ever was
    last: int = -1  # the cause of the last record of its history

    def mark(self, offset: int) -> bool:
        """Whether there was an output before."""
        page, index = self.done[offset // PAGE], offset % PAGE
        before = page[index]
        page[index] = 1
        return bool(before)


class Transactions:
    """Every command below the committed offset has one output that names it truly, none above has one, none has two; every
    output's cause is in the log; and the histories of a partition follow the order of their inputs.
    """

    def __init__(self, history: History) -> None:
        self._tally = Tally("L11", "an input offset is committed exactly if its output exists")
        self._history = history
        self._partitions: dict[Place, Partition] = defaultdict(Partition)

    def listen(self, stream: Stream) -> None:
        for service in PROCESSING_SERVICES:
            stream.on_command(service, self._command)
            stream.on_decided(service, self._decided)
            stream.on_dead_letter(service, self._dead_letter)

    def _command(self, record: Stored) -> None:
        partition = self._partitions[record.topic, record.partition]
        given = _input(record)
        named = partition.outputs.pop(record.offset, None)
        if named is None:
            partition.inputs[record.offset] = given
        elif not named.agrees(given):
            self._disagree(given, named)

    def _decided(self, decided: Decided) -> None:
        record, frame, _ = decided
        cause = frame.cause
        if not cause.topic:
            return  # a timer, or the answer to an effect: no place in the log
        place = cause.topic, cause.partition
        self._output(place, cause.offset, Input(cause.id, cause.type, record.key, record.at, record[:3]))
        if record.partition == cause.partition:
            partition = self._partitions[place]
            if cause.offset <= partition.last:
                self._tally.broke(f"{at_place(record)}: its cause {_name(place, cause.offset)} is out of order")
            partition.last = max(cause.offset, partition.last)

    def _dead_letter(self, record: Stored) -> None:
        if not record.headers.get("dead_topic"):
            return  # a timer's, or parked work
        position = dead_place(record)
        if position is None:
            self._tally.broke(f"{at_place(record)}: a dead letter that does not say where it comes from")
        else:
            self._output(position[:2], position[2], _input(record))

    def _output(self, place: Place, offset: int, named: Input) -> None:
        self._tally.checked += 1
        partition = self._partitions[place]
        if partition.mark(offset):
            self._tally.broke(f"{_name(place, offset)}: has a second output, {at_place(named.where)}")
            return
        if not self._history.cut.maybe_consumed(place, offset):
            sentence = f"{_name(place, offset)}: has the output {at_place(named.where)}, and is not committed"
            self._tally.judge(sentence, recent=self._history.recent(named.at))
        given = partition.inputs.pop(offset, None)
        if given is None:
            if self._history.cut.is_kept(place, offset):
                partition.outputs[offset] = named
        elif not given.agrees(named):
            self._disagree(given, named)

    def _disagree(self, given: Input, named: Input) -> None:
        self._tally.broke(f"{at_place(named.where)}: takes {at_place(given.where)} for {named}; it is {given}")

    def verdict(self) -> Verdict:
        for place, partition in self._partitions.items():
            for offset, given in partition.inputs.items():
                self._unconsumed(place, offset, given)
            for offset, named in partition.outputs.items():
                sentence = f"{at_place(named.where)}: its cause {_name(place, offset)} is not in the log"
                self._tally.judge(sentence, recent=self._history.recent(named.at))
        return self._tally.verdict()

    def _unconsumed(self, place: Place, offset: int, given: Input) -> None:
        if self._history.cut.surely_consumed(place, offset):
            sentence = f"{_name(place, offset)}: is committed, and has no output"
            self._tally.judge(sentence, recent=self._history.recent(given.at))
        elif self._history.settled:
            self._tally.broke(f"{_name(place, offset)}: was never consumed")


def _input(record: Stored) -> Input:
    headers = record.headers
    return Input(headers.get("id", ""), headers.get("type", ""), record.key, record.at, record[:3])


def _name(place: Place, offset: int) -> str:
    return at_place((*place, offset))
