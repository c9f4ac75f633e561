"""The processor's promises, on the in-memory log with a toy service that counts."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import msgspec
import pytest

from common import topology
from common.answers import Answer, Answers
from common.clock import Instant, Millis
from common.codec import Codec, decode_history, encode
from common.decider import Behaviour, Decision, Effect, Input, Wake
from common.errors import Fenced, LogError, Unavailable
from common.eventlog import (
    Batch,
    Cleanup,
    Consumer,
    EventLog,
    Position,
    Record,
    Stored,
    Topic,
    Transaction,
    partition_of,
)
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


@pytest.fixture
def world() -> World:
    return World()


def run(processor: Processor[Counter], steps: int = 3) -> None:
    for _ in range(steps):
        processor.step()


def test_every_input_leaves_exactly_one_history_record_even_if_it_changes_nothing(world: World) -> None:
    world.send(1, 0, 2)
    run(world.processor())
    assert world.history() == [(1, ["Added"]), (1, []), (2, ["Added"])]


def test_a_history_record_says_what_caused_it_and_what_was_sent(world: World) -> None:
    world.send(1)
    run(world.processor())
    (record,) = world.records(topology.events(SERVICE))
    frame = decode_history(record.value or b"")
    envelope = Envelope.of(record.headers)
    assert (frame.cause.kind, frame.cause.type, frame.cause.topic, frame.cause.offset) == (
        "command",
        "Add",
        "counter.commands",
        0,
    )
    assert [(sent.type, sent.topic, sent.key) for sent in frame.sent] == [("Add", "elsewhere.commands", "x")]
    assert (envelope.actor, envelope.correlation, envelope.causation, envelope.traceparent) == ("alice", KEY, "id", "t")


def test_poison_is_set_aside_once_with_its_reason_and_the_partition_moves_on(world: World) -> None:
    headers = Envelope("id", "Add", 1, 1, "alice", KEY).headers()
    world.put(b"{", headers)
    world.put(b"{}", {**headers, "type": "Unheard"})
    world.put(b"{}", {"no": "envelope"})
    world.send(13, 1)
    run(world.processor())
    dead = [record.headers["dead_reason"] for record in world.records(topology.dead_letters(SERVICE))]
    assert [reason.split(":")[0] for reason in dead] == [
        "Add v1",
        "message type 'Unheard'",
        "headers are no envelope",
        "decide failed",
    ]
    assert world.history() == [(1, ["Added"])]


def test_a_command_in_the_wrong_partition_is_poison(world: World) -> None:
    wrong = 1 - partition_of(KEY, 2)
    headers = Envelope("id", "Add", 1, 1, "alice", KEY).headers()
    world.log.append([Record(topology.commands(SERVICE), KEY, encode(Add(1)), headers, wrong)]).result()
    world.send(2)
    run(world.processor())
    (dead,) = world.records(topology.dead_letters(SERVICE))
    assert "does not belong into this partition" in dead.headers["dead_reason"]
    assert world.history() == [(1, ["Added"])]


def test_a_successor_goes_on_from_what_was_committed(world: World) -> None:
    first = world.processor()
    world.send(1, 2)
    run(first)
    world.send(3)
    run(world.processor())
    assert world.history() == [(1, ["Added"]), (2, ["Added"]), (3, ["Added"])]


def test_a_checkpoint_and_the_events_after_it_make_the_state(world: World) -> None:
    processor = world.processor()
    world.send(1)
    run(processor)
    processor.checkpoint()
    world.send(2)
    run(processor)
    successor = world.processor()
    world.send(2)  # 1 + 2 + 2 = 5: the effect shows the state
    run(successor)
    assert world.offered == [(KEY, "tell 5", False)]


def test_a_zombie_is_fenced_and_leaves_no_trace(world: World) -> None:
    zombie = world.processor("a")
    run(zombie)
    world.log.expire("g", "a")
    successor = world.processor("b")
    run(successor)
    world.send(4)
    with pytest.raises(Fenced):
        zombie_checkpoint(zombie)
    run(successor)
    assert world.history() == [(1, ["Added"])]


def zombie_checkpoint(zombie: Processor[Counter]) -> None:
    for shard in zombie._shards.values():
        shard.forgotten["x"] = None
    zombie.checkpoint()


def test_a_timer_fires_when_it_is_due_and_not_before(world: World) -> None:
    processor = world.processor()
    world.send(7)
    run(processor)
    world.now += 999
    run(processor)
    assert len(world.history()) == 1
    world.now += 1
    run(processor)
    assert world.history() == [(1, ["Added"]), (2, ["Reminded"])]


def test_a_timer_that_was_moved_does_not_fire(world: World) -> None:
    processor = world.processor()
    world.send(7, 1)
    run(processor)
    world.now += 5000
    run(processor)
    assert world.history() == [(1, ["Added"]), (2, ["Added"])]


def test_a_restored_state_brings_its_timer_and_its_unfinished_effect(world: World) -> None:
    first = world.processor()
    world.send(5)
    run(first)
    first.checkpoint()
    run(world.processor())
    assert world.offered == [(KEY, "tell 5", False), (KEY, "tell 5", True)]


def test_an_answer_to_an_effect_is_decided_upon_and_leaves_one_record_like_any_other_input(world: World) -> None:
    processor = world.processor()
    world.send(5)
    run(processor)
    world.answer(1)
    world.answer(0)
    assert processor.step() == 2
    assert world.history() == [(1, ["Added"]), (2, ["Added"]), (2, [])]
    record = world.records(topology.events(SERVICE))[1]
    cause, envelope = decode_history(record.value or b"").cause, Envelope.of(record.headers)
    assert (cause.kind, cause.type, cause.topic, cause.id) == ("reply", "Add", "", "counter.answer-c1-1")
    assert (envelope.actor, envelope.correlation, envelope.causation) == ("service:outside", KEY, cause.id)
    assert [it.headers["id"] for it in world.records("elsewhere.commands")][1:] == [f"{cause.id}.1"]


def test_an_answer_wakes_a_step_that_waits(world: World) -> None:
    processor = world.processor()
    run(processor)
    threading.Timer(0.05, world.answer, [1]).start()
    processor.step(20.0)
    run(processor)
    assert world.history() == [(1, ["Added"])]


def test_an_answer_that_was_not_committed_is_heard_again(world: World) -> None:
    unsure = Unsure(world, world.log.consumer(topology.commands(SERVICE), group="g", member="slow"), committed=False)
    processor = Processor(BEHAVIOUR, world.log, unsure, lambda: world.now, answers=world.answers)
    run(processor)
    unsure.doubt = True
    world.answer(1)
    with pytest.raises(Unavailable):
        processor.step()
    run(processor)
    assert world.history() == [(1, ["Added"])]


def test_an_answer_for_a_partition_of_another_is_left_to_its_owner_who_asks_again(world: World) -> None:
    first = world.processor("a")
    world.send(5)
    run(first)
    world.log.expire("g", "a")
    run(world.processor("b"))
    world.answer(1)
    run(first)
    assert world.history() == [(1, ["Added"])]
    assert world.offered == [(KEY, "tell 5", False), (KEY, "tell 5", True)]


def test_what_was_answered_is_decided_upon_before_a_processor_leaves(world: World) -> None:
    processor = world.processor()
    run(processor)
    world.answer(1)
    processor.close()
    assert world.history() == [(1, ["Added"])]


def test_an_answer_that_nobody_can_decide_upon_is_a_dead_letter(world: World) -> None:
    processor = world.processor()
    run(processor)
    world.answer(13)
    run(processor)
    (dead,) = world.records(topology.dead_letters(SERVICE))
    assert dead.headers["dead_topic"] == "" and dead.headers["dead_reason"].startswith("decide failed")
    assert not world.answers.waiting


def test_a_finished_aggregate_is_forgotten_and_its_checkpoint_erased(world: World) -> None:
    processor = world.processor()
    world.send(99)
    run(processor)
    processor.checkpoint()
    world.now += 5001
    run(processor)
    processor.checkpoint()
    state = [record for record in world.records(topology.state(SERVICE)) if record.key == KEY]
    assert [record.value is None for record in state] == [False, True]


def test_a_gap_in_the_history_is_not_decided_upon(world: World) -> None:
    processor = world.processor()
    world.send(1)
    run(processor)
    (record,) = world.records(topology.events(SERVICE))
    frame = msgspec.structs.replace(decode_history(record.value or b""), version=3)
    world.log.append([Record(record.topic, KEY, encode(frame), record.headers)]).result()
    with pytest.raises(LogError, match="the history has a gap"):
        run(world.processor())


@dataclass
class Leased:
    """A consumer whose lease ends when it was not polled for so long."""

    world: World
    consumer: Consumer
    lease: Millis = 5000
    polled_at: Instant = 0

    def poll(self, timeout: float, limit: int = 200) -> Batch:
        self.expire_if_silent()
        self.polled_at = self.world.now
        return self.consumer.poll(timeout, limit)

    def transaction(self) -> Transaction:
        return self.consumer.transaction()

    def expire_if_silent(self) -> None:
        if self.polled_at and self.world.now - self.polled_at > self.lease:
            self.world.log.expire("g", "slow")

    def seek(self, partition: int, offset: int) -> None:
        self.consumer.seek(partition, offset)

    def wake(self) -> None:
        self.consumer.wake()

    def close(self) -> None:
        self.consumer.close()


@dataclass
class SlowLog:
    """A log of which every look takes a second."""

    world: World
    leased: Leased

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world.log, name)

    def reader(self, positions: Mapping[tuple[str, int], int]) -> Any:
        reader, world, leased = self.world.log.reader(positions), self.world, self.leased

        class Slow:
            def poll(self, timeout: float, limit: int = 1000) -> Sequence[Stored]:
                world.now += 1000
                leased.expire_if_silent()
                return reader.poll(timeout, 1)

            def __getattr__(self, name: str) -> Any:
                return getattr(reader, name)

        return Slow()


def slow_processor(world: World) -> Processor[Counter]:
    leased = Leased(world, world.log.consumer(topology.commands(SERVICE), group="g", member="slow"))
    return Processor(BEHAVIOUR, SlowLog(world, leased), leased, lambda: world.now)


def test_a_restore_may_take_longer_than_the_lease(world: World) -> None:
    world.send(*[1] * 20)
    first = world.processor("slow")
    run(first)
    world.send(1)
    slow = slow_processor(world)
    began = world.now
    slow.step()
    assert world.now - began > 2 * 5000
    assert slow.restored and world.history()[-1] == (21, ["Added"])


def test_a_partition_that_is_lost_while_it_is_restored_is_not_written_for(world: World) -> None:
    world.send(*[1] * 20)
    first = world.processor("slow")
    run(first)
    world.send(1)
    slow = slow_processor(world)
    slow._consumer.lease = 100  # type: ignore[attr-defined]  # it is polled far too rarely for that
    with pytest.raises(Fenced):
        slow.step()
    assert not slow.restored
    assert len(world.history()) == 20


@dataclass
class Unsure(Leased):
    """A consumer whose next commit ends without an answer: `committed` or not, nobody knows."""

    committed: bool = True
    doubt: bool = False

    def transaction(self) -> Transaction:
        return Doubtful(self, super().transaction()) if self.doubt else super().transaction()


class Doubtful(Transaction):
    def __init__(self, unsure: Unsure, inner: Transaction) -> None:
        self._unsure, self._inner = unsure, inner

    def send(self, record: Record) -> None:
        self._inner.send(record)

    @property
    def positions(self) -> Sequence[Position]:
        return self._inner.positions

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        lost = Unavailable("no answer")
        self._inner.__exit__(*((None, None, None) if self._unsure.committed else (Unavailable, lost, None)))
        self._unsure.doubt = False
        self._unsure.world.log.expire("g", "slow")  # so that the next poll begins anew
        raise lost


@pytest.mark.parametrize("committed", [True, False])
def test_after_a_commit_of_unknown_outcome_the_log_tells_what_is_true(world: World, committed: bool) -> None:
    unsure = Unsure(world, world.log.consumer(topology.commands(SERVICE), group="g", member="slow"))
    processor = Processor(BEHAVIOUR, world.log, unsure, lambda: world.now)
    world.send(1, 7)
    run(processor)
    world.send(1)
    unsure.committed, unsure.doubt = committed, True
    with pytest.raises(Unavailable):
        processor.step()
    world.send(1)
    world.now += 5000
    run(processor)
    assert world.history() == [(version, ["Added"]) for version in (1, 2, 3, 4)]
