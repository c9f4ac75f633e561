"""The projector's promises, on the in-memory log: data and checkpoint together, no event twice, no gap."""

from collections.abc import Sequence

import pytest

from common import topology
from common.codec import HistoryFrame
from common.contracts.order import OrderCancelled, OrderConfirmed
from common.eventlog import Record, Stored
from common.eventlog.memory import MemoryLog
from common.projector import Changes, Gap, Projector, advance
from common.readmodel import Document
from common.readmodel.memory import MemoryReadModel
from common.replay import compare, rebuild
from common.testing.histories import History

EVENTS = topology.events(topology.ORDER)


class Names:
    """Keeps the names of all events of an aggregate."""

    topics: Sequence[str] = (EVENTS,)

    def keys(self, record: Stored) -> tuple[str]:
        return (record.key,)

    def fold(self, changes: Changes, record: Stored, frame: HistoryFrame | None) -> None:
        stored = changes.documents.get(record.key)
        if frame is not None and advance(stored, record, frame):
            before = stored.body if stored else b""
            names = b"".join(event.type.encode() + b" " for event in frame.events)
            changes.put(Document(record.key, frame.version, before + names))


class World:
    def __init__(self) -> None:
        self.log = MemoryLog()
        self.log.create(topology.topics())
        self.model = MemoryReadModel()
        self.projector = Projector(topology.ORDER, Names(), self.log, self.model)
        self.history = History(topology.ORDER, "o1")

    def write(self, *records: Stored) -> None:
        self.log.append([Record(EVENTS, record.key, record.value, record.headers) for record in records]).result()

    def names(self) -> str:
        return self.model.load(["o1"])["o1"].body.decode().strip()


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_in_the_log_gets_into_the_model_with_its_position(world: World) -> None:
    record = world.history.record(OrderConfirmed("o1"))
    world.write(record)
    assert world.projector.lag() == 1
    assert world.projector.step() == 1
    assert world.projector.lag() == 0
    assert world.names() == "OrderConfirmed"
    assert world.model.positions() == {
        f"{EVENTS}/{record.partition}": 1,
        f"order.commands/{record.partition}": 1,
    }


def test_a_projector_that_starts_again_goes_on_where_the_model_stands(world: World) -> None:
    world.write(world.history.record(OrderConfirmed("o1")))
    world.projector.step()
    world.write(world.history.record(OrderCancelled("o1", "")))
    Projector(topology.ORDER, Names(), world.log, world.model).step()
    assert world.names() == "OrderConfirmed OrderCancelled"


def test_what_was_polled_is_polled_again_when_the_model_did_not_take_it(world: World) -> None:
    world.write(world.history.record(OrderConfirmed("o1")))
    broken = Unwilling(world.model)
    projector = Projector(topology.ORDER, Names(), world.log, broken)
    with pytest.raises(OSError, match="full"):
        projector.step()
    broken.willing = True
    projector.step()
    assert world.names() == "OrderConfirmed"


def test_what_cannot_be_folded_by_this_program_is_not_skipped_however_often_it_is_tried(world: World) -> None:
    world.write(world.history.record(OrderConfirmed("o1")), world.history.record(OrderCancelled("o1", "")))
    buggy = Buggy()
    projector = Projector(topology.ORDER, buggy, world.log, world.model)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            projector.step()
    assert projector.lag() == 2
    buggy.repaired = True
    projector.step()
    assert world.names() == "OrderConfirmed OrderCancelled"


class Buggy(Names):
    repaired = False

    def fold(self, changes: Changes, record: Stored, frame: HistoryFrame | None) -> None:
        if not self.repaired and frame is not None and frame.version == 2:
            raise ZeroDivisionError
        super().fold(changes, record, frame)


def test_a_model_is_served_once_all_is_folded_that_was_there_when_it_was_opened(world: World) -> None:
    model = Served()
    projector = Projector(topology.ORDER, Names(), world.log, model)
    world.write(world.history.record(OrderConfirmed("o1")), world.history.record(OrderCancelled("o1", "")))
    projector.step(limit=1)
    assert (projector.whole, model.times) == (False, 0)
    world.write(world.history.record(OrderCancelled("o1", "")))
    for _ in range(3):
        projector.step(limit=1)
        assert (projector.whole, model.times) == (True, 1)
    projector.restart()
    projector.step()
    assert (projector.whole, model.times) == (True, 2)


def test_what_was_folded_a_moment_ago_is_not_asked_for_again(world: World) -> None:
    asked: list[str] = []
    load = world.model.load
    world.model.load = lambda keys: asked.extend(keys) or load(keys)  # type: ignore[func-returns-value, method-assign]
    world.write(world.history.record(OrderConfirmed("o1")))
    world.projector.step()
    world.write(world.history.record(OrderCancelled("o1", "late")))
    world.projector.step()
    assert not asked  # the first event has nothing before it, the second one has what was folded then
    world.projector.restart()
    world.write(world.history.record(OrderConfirmed("o1")))
    world.projector.step()
    assert asked == ["o1"]
    assert world.names() == "OrderConfirmed OrderCancelled OrderConfirmed"


def test_a_gap_stops_it(world: World) -> None:
    world.history.record(OrderConfirmed("o1"))
    world.write(world.history.record(OrderCancelled("o1", "")))
    with pytest.raises(Gap, match="o1 is at version 0"):
        world.projector.step()


def test_what_is_no_history_is_passed_over(world: World) -> None:
    record = world.history.record(OrderConfirmed("o1"))
    world.write(record._replace(value=b"{"), record)
    world.projector.step()
    assert world.names() == "OrderConfirmed"
    assert world.projector.lag() == 0


def test_a_replay_finds_no_difference_in_a_sound_model(world: World) -> None:
    world.write(world.history.record(OrderConfirmed("o1")), world.history.record(OrderCancelled("o1", "")))
    world.projector.step()
    fresh = MemoryReadModel()
    rebuild(topology.ORDER, Names(), world.log, fresh, lambda done, left: None)
    assert not compare(world.model, fresh, lambda: None)


def test_a_replay_finds_what_was_tampered_with(world: World) -> None:
    world.write(world.history.record(OrderConfirmed("o1")))
    world.model.apply([Document("o1", 1, b"forged"), Document("ghost", 1, b"")], [], {})
    fresh = MemoryReadModel()
    rebuild(topology.ORDER, Names(), world.log, fresh, lambda done, left: None)
    found = compare(world.model, fresh, lambda: None, within=0.0)
    assert (found.different, found.superfluous, found.compared) == (["o1"], ["ghost"], 2)


class Unwilling(MemoryReadModel):
    """A model whose disk is full at first."""

    def __init__(self, inner: MemoryReadModel) -> None:
        super().__init__()
        self._inner = inner
        self.willing = False

    def apply(self, *changes: object) -> None:
        if not self.willing:
            raise OSError("the disk is full")
        self._inner.apply(*changes)  # type: ignore[arg-type]  # passed on as they came


class Served(MemoryReadModel):
    """A model that counts how often it was."""

    times = 0

    def serve(self) -> None:
        self.times += 1
