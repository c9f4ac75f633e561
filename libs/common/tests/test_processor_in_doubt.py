"""The processor's promises when its lease runs out while it restores, and when nobody says how a commit ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import pytest

from common import topology
from common.clock import Instant, Millis
from common.errors import Fenced, Unavailable
from common.eventlog import Batch, Consumer, Position, Record, Stored, Transaction
from common.processor import Processor
from common.testing.toy import BEHAVIOUR, SERVICE, Counter, World, run


@pytest.fixture
def world() -> World:
    return World()


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
    """It has twenty events of its predecessor's to restore, and a command to handle."""
    world.send(*[1] * 20)
    run(world.processor("slow"))
    world.send(1)
    leased = Leased(world, world.log.consumer(topology.commands(SERVICE), group="g", member="slow"))
    return Processor(BEHAVIOUR, SlowLog(world, leased), leased, lambda: world.now)


def test_a_restore_may_take_longer_than_the_lease(world: World) -> None:
    slow = slow_processor(world)
    began = world.now
    slow.step()
    assert world.now - began > 2 * 5000
    assert slow.restored and world.history()[-1] == (21, ["Added"])


def test_a_partition_that_is_lost_while_it_is_restored_is_not_written_for(world: World) -> None:
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
