"""A toy service that counts, on a log in memory, with a clock that moves when told."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from common import topology
from common.answers import Answer, Answers
from common.clock import Instant
from common.codec import Codec, decode_history, encode
from common.decider import Behaviour, Decision, Effect, Input, Wake
from common.eventlog import Cleanup, EventLog, Record, Stored, Topic
from common.eventlog.memory import MemoryLog
from common.messages import Envelope, Request, message
from common.processor import Processor

SERVICE = "counter"
KEY = "c1"


@message
class Add:
    n: int


@message
class Remind:
    pass


@message
class Added:
    n: int


@message
class Reminded:
    pass


@dataclass(frozen=True, slots=True)
class Counter:
    total: int = 0
    remind_at: Instant = 0
    done_at: Instant = 0


def handle(state: Counter, given: Input, at: Instant) -> Decision:
    match given.message:
        case Add(n=13):
            raise RuntimeError("a bug")
        case Add(n=0):
            return Decision()
        case Add(n):
            return Decision([Added(n)], [Request("elsewhere.commands", "x", Add(n))])
        case _:
            return Decision([Reminded()])


def evolve(state: Counter, event: object, at: Instant) -> Counter:
    match event:
        case Added(n):
            return Counter(state.total + n, at + 1000 if n == 7 else 0, at if n == 99 else 0)
        case _:
            return Counter(state.total)


BEHAVIOUR = Behaviour(
    service=SERVICE,
    initial=Counter(),
    handle=handle,
    evolve=evolve,
    commands=Codec([Add]),
    events=Codec([Added, Reminded]),
    dump=encode,
    load=msgspec.json.Decoder(Counter).decode,
    wake=lambda state: Wake(state.remind_at, Remind()) if state.remind_at else None,
    effect=lambda state: Effect(f"tell {state.total}", state.total) if state.total == 5 else None,
    forget_at=lambda state: state.done_at + 5000 if state.done_at else None,
)


@dataclass
class World:
    """One service on one log, with a clock that moves when told."""

    now: Instant = 1_000_000
    offered: list[tuple[str, str, bool]] = field(default_factory=list)
    answers: Answers = field(default_factory=Answers)
    log: MemoryLog = field(init=False)

    def __post_init__(self) -> None:
        self.log = MemoryLog(lambda: self.now)
        self.log.create(
            [
                Topic(topology.commands(SERVICE), 2),
                Topic(topology.events(SERVICE), 2),
                Topic(topology.state(SERVICE), 2, Cleanup.COMPACT),
                Topic(topology.dead_letters(SERVICE), 2),
                Topic("elsewhere.commands", 2),
            ]
        )

    def processor(self, member: str = "0") -> Processor[Counter]:
        consumer = self.log.consumer(topology.commands(SERVICE), group="g", member=member)
        return Processor(BEHAVIOUR, self.log, consumer, lambda: self.now, offer=self.offer, answers=self.answers)

    def offer(self, key: str, effect: Effect, restored: bool) -> None:
        self.offered.append((key, effect.id, restored))

    def answer(self, number: int, key: str = KEY) -> None:
        self.answers.put(Answer(key, Add(number), "tell 5", "service:outside", self.now, "t"))

    def send(self, *numbers: int) -> None:
        for number in numbers:
            self.put(encode(Add(number)), Envelope("id", "Add", 1, self.now, "alice", KEY, traceparent="t").headers())

    def put(self, value: bytes, headers: dict[str, str]) -> None:
        self.log.append([Record(topology.commands(SERVICE), KEY, value, headers)]).result()

    def history(self) -> list[tuple[int, list[str]]]:
        frames = [decode_history(record.value or b"") for record in self.records(topology.events(SERVICE))]
        return [(frame.version, [event.type for event in frame.events]) for frame in frames]

    def records(self, topic: str) -> list[Stored]:
        return list(everything(self.log, topic))


def everything(log: EventLog, topic: str) -> Iterator[Stored]:
    reader = log.reader({(topic, partition): 0 for partition in range(log.topics()[topic].partitions)})
    while records := reader.poll(0):
        yield from records


def run(processor: Processor[Counter], steps: int = 3) -> None:
    for _ in range(steps):
        processor.step()
