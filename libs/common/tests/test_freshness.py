"""A read is as fresh as its caller asked, and no fresher than it has to wait for."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from common import consistency, freshness, topology
from common.clock import system_clock
from common.consistency import Asked, Level, Token
from common.eventlog import EventLog, Position, Record, partition_of
from common.eventlog.embedded import EmbeddedLog
from common.eventlog.memory import MemoryLog
from common.freshness import Freshness
from common.problems import Problem
from common.readmodel.memory import MemoryReadModel

COMMANDS, EVENTS, GROUP = "order.commands", "order.events", "order-processor"
STRONG = Asked(level=Level.STRONG)


@dataclass
class World:
    """A service in slow motion: each step of a write happens when the test says so."""

    log: EventLog
    model: MemoryReadModel

    def __post_init__(self) -> None:
        self.log.create([*topology.topics(2)])
        self.freshness = Freshness("order", self.model.view(), self.log)
        self._consumer = self.log.consumer(COMMANDS, group=GROUP, member="0")
        self._folded = self.log.reader({(EVENTS, partition): 0 for partition in range(2)})

    def accept(self, key: str) -> Position:
        return self.log.append([Record(COMMANDS, key, b"command")]).result(10)[0]

    def decide(self, *, poison: bool = False) -> None:
        with self._consumer.transaction() as transaction:
            for record in self._consumer.poll(1.0).records:
                topic = "order.dead-letters" if poison else EVENTS
                transaction.send(Record(topic, record.key, b"said", {"offset": str(record.offset)}))

    def fold(self) -> None:
        for record in self._folded.poll(0.1):
            positions = {f"{EVENTS}/{record.partition}": record.offset + 1}
            positions[f"{COMMANDS}/{record.partition}"] = int(record.headers["offset"]) + 1
            self.model.apply([], [], positions)

    def close(self) -> None:
        self._consumer.close()
        self._folded.close()
        self.log.close()

    async def waits(self, asked: Asked, key: str | None = None) -> bool:
        """Whether the read is still waiting after a while."""
        try:
            async with asyncio.timeout(0.15):
                await self.freshness.meet(asked, key)
        except TimeoutError:
            return True
        return False


@pytest.fixture(params=["memory", "embedded"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    log = MemoryLog(system_clock) if request.param == "memory" else EmbeddedLog(tmp_path / "log.db")
    world = World(log, MemoryReadModel())
    yield world
    world.close()


async def test_a_strong_read_waits_until_what_was_acknowledged_is_decided_and_folded(world: World) -> None:
    world.accept("a")
    assert await world.waits(STRONG, "a")
    world.decide()
    assert await world.waits(STRONG, "a")
    world.fold()
    await world.freshness.meet(STRONG, "a")


async def test_a_strong_read_of_everything_waits_for_every_partition(world: World) -> None:
    keys = ["a", "b", "c", "d"]
    assert len({world.accept(key).partition for key in keys}) == 2
    assert await world.waits(STRONG)
    world.decide()
    world.fold()
    await world.freshness.meet(STRONG)


async def test_a_strong_read_of_one_aggregate_does_not_wait_for_other_partitions(world: World) -> None:
    elsewhere = world.accept("a").partition
    key = next(key for key in "bcdefgh" if partition_of(key, 2) != elsewhere)
    await world.freshness.meet(STRONG, key)


async def test_a_poison_message_does_not_hold_a_strong_read_up(world: World) -> None:
    world.accept("a")
    world.decide(poison=True)
    await world.freshness.meet(STRONG, "a")


async def test_a_strong_read_does_not_wait_for_what_came_after_it_began(world: World) -> None:
    world.accept("a")
    reading = asyncio.create_task(world.freshness.meet(STRONG, "a"))
    await asyncio.sleep(0.1)
    world.decide()
    world.fold()
    world.accept("a")
    await reading


async def test_a_session_waits_for_its_own_write_alone(world: World) -> None:
    token = Token.at(world.accept("a"))
    assert not await world.waits(Asked())
    assert await world.waits(Asked(token))
    assert not await world.waits(Asked(Token("payment", token.partition, token.offset)))
    world.decide()
    world.fold()
    await world.freshness.meet(Asked(token))


async def test_an_eventual_read_waits_for_nothing_not_even_its_own_write(world: World) -> None:
    token = Token.at(world.accept("a"))
    assert not await world.waits(Asked(token, Level.EVENTUAL), "a")


@pytest.mark.parametrize("level", [Level.SESSION, Level.STRONG])
async def test_a_read_that_would_wait_too_long_is_told_to_come_back(
    world: World, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness, "PATIENCE", 0.1)
    monkeypatch.setattr(consistency.wait_for, "__defaults__", (0.1,))
    token = Token.at(world.accept("a"))
    with pytest.raises(Problem) as caught:
        await world.freshness.meet(Asked(token, level), "a")
    assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "1"})
