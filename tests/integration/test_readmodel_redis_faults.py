"""Redis is emptied, killed, frozen, or comes back with the past: what is answered is right, or nothing is."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from common import topology
from common.contracts.order import OrderConfirmed
from common.errors import Unavailable
from common.eventlog import Record
from common.eventlog.memory import MemoryLog
from common.projector import Projector
from common.readmodel import Bell, Document, Entry, ReadModel
from common.readmodel.memory import MemoryReadModel
from common.readmodel.redis import RedisGenerations, RedisReadModel, RedisView
from common.testing.counting import Counts
from common.testing.eventually import eventually
from common.testing.histories import History
from orderly.backing.private import RedisServer

pytestmark = pytest.mark.redis

EVENTS = topology.events(topology.ORDER)
ORDERS = 40


class World:
    """A log, a projector and a view. `step` is what the projector's loop does."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.log = MemoryLog()
        self.log.create(topology.topics())
        self.histories = [History(topology.ORDER, f"o{n}") for n in range(ORDERS)]
        self.models: list[RedisReadModel] = []
        self.projector = self.another_projector()
        self.view = RedisView(url, topology.ORDER, Bell())
        self.generations = RedisGenerations(url, topology.ORDER)

    def another_projector(self) -> Projector:
        model = RedisReadModel(self.url, topology.ORDER, Bell())
        self.models.append(model)
        return Projector(topology.ORDER, Counts(), self.log, model)

    def happens(self, times: int = 1) -> None:
        """One more event for each order."""
        for _ in range(times):
            records = [history.record(OrderConfirmed("o")) for history in self.histories]
            self.log.append([Record(EVENTS, it.key, it.value, it.headers) for it in records]).result()

    def step(self, projector: Projector | None = None, limit: int = 500) -> int:
        projector = projector or self.projector
        try:
            return projector.step(0.0, limit)
        except Unavailable:
            projector.restart()
            return -1

    def catch_up(self, projector: Projector | None = None) -> None:
        eventually(lambda: self.step(projector) == 0 and (projector or self.projector).whole, within=60)

    async def shown(self, order: int = 0) -> int | None:
        """The version that is answered, -1 for one that does not exist; None: nothing is answered."""
        try:
            async with asyncio.timeout(30):
                document = await self.view.get(f"o{order}")
        except Unavailable:
            return None
        return document.version if document else -1

    async def comes(self, version: int) -> None:
        """It is shown, and until then nothing is."""
        while (seen := await self.shown()) != version:
            assert seen is None
            await asyncio.to_thread(self.step)

    def close(self) -> None:
        for model in self.models:
            model.close()
        self.view.close()
        self.generations.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer.start(tmp_path)
    yield server
    server.close()


@pytest.fixture
def world(server: RedisServer) -> Iterator[World]:
    world = World(server.url)
    world.happens(3)
    world.catch_up()
    yield world
    world.close()


def ask(server: RedisServer, *command: str) -> object:
    with redis.Redis.from_url(server.url, protocol=2) as client:
        return client.execute_command(*command)


async def test_nothing_is_answered_before_all_is_folded(server: RedisServer) -> None:
    world = World(server.url)
    world.happens(3)
    assert await world.shown() is None
    while not world.projector.whole:
        assert await world.shown() is None
        world.step(limit=7)
    assert await world.shown() == 3
    world.close()


async def test_a_redis_that_was_emptied_answers_nothing_until_all_is_folded_again(
    server: RedisServer, world: World
) -> None:
    assert await world.shown() == 3
    before = world.generations.current()
    world.happens()
    assert world.step(limit=5) == 5
    ask(server, "FLUSHALL")
    for _ in range(5):
        assert await world.shown() is None
        world.step(limit=5)
    await world.comes(4)
    assert world.generations.names() == [world.generations.current()] != [before]
    assert {document.version for document in world.models[0].documents()} == {4}


async def test_an_idle_projector_notices_that_redis_was_emptied(server: RedisServer, world: World) -> None:
    ask(server, "FLUSHALL")
    await world.comes(3)


async def test_a_redis_that_was_killed_and_comes_back_empty_is_filled_again(server: RedisServer, world: World) -> None:
    assert await world.shown() == 3
    server.kill()
    assert world.step() >= -1 and await world.shown() is None
    server.restart()
    await world.comes(3)


@pytest.mark.parametrize("projector", ["the same", "another"])
async def test_a_redis_that_comes_back_with_the_past_shows_none_of_it(
    server: RedisServer, world: World, projector: str
) -> None:
    ask(server, "SAVE")
    name = world.generations.current()
    world.happens(2)
    world.catch_up()
    assert await world.shown() == 5
    server.kill()
    server.restart()
    assert world.generations.current() == name, "the snapshot was loaded"
    assert await world.shown() is None
    if projector == "another":
        world.projector = world.another_projector()
    world.happens()
    await world.comes(6)
    assert world.generations.current() == name, "nothing had to be rebuilt"
    assert {document.version for document in world.models[-1].documents()} == {6}
    assert [entry.sort for entry in await world.view.list("list/o1")] == [f"{n:09d}" for n in range(1, 7)]


async def test_a_frozen_redis_keeps_nobody_waiting(server: RedisServer, world: World) -> None:
    assert await world.shown() == 3
    server.freeze()
    try:
        assert await asyncio.gather(*(world.shown(n) for n in range(ORDERS))) == [None] * ORDERS
        assert await world.shown() is None
        world.happens()
        assert await asyncio.to_thread(world.step) == -1
    finally:
        server.thaw()
    while (seen := await world.shown()) is None:
        pass
    assert seen == 3
    world.catch_up()
    assert await asyncio.gather(*(world.shown(n) for n in range(ORDERS))) == [4] * ORDERS


def test_two_projectors_at_once_change_nothing_about_the_result(world: World) -> None:
    world.happens(20)
    done = threading.Event()

    def fold(projector: Projector, limit: int) -> None:
        for n in range(10_000):
            world.step(projector, limit)
            if n % 7 == 0:
                projector.restart()
            if done.is_set():
                return

    others = [threading.Thread(target=fold, args=(world.another_projector(), limit)) for limit in (3, 11)]
    for other in others:
        other.start()
    for _ in range(20):
        world.happens()
        world.step(limit=17)
    world.catch_up()
    done.set()
    for other in others:
        other.join()
    sound = MemoryReadModel()
    expected = Projector(topology.ORDER, Counts(), world.log, sound)
    while expected.step():
        pass
    assert same(world.models[0], sound)


def same(one: ReadModel, other: ReadModel) -> bool:
    return sorted(one.documents()) == sorted(other.documents()) and one.positions() == other.positions()


async def test_of_two_that_build_anew_the_first_to_be_done_is_served(server: RedisServer, world: World) -> None:
    slow = world.another_projector()
    world.catch_up(slow)
    ask(server, "FLUSHALL")
    for projector in (world.projector, slow):
        eventually(lambda one=projector: world.step(one, 1) == 1)  # type: ignore[misc]  # bound at once
    assert len(world.generations.names()) == 2
    world.catch_up()
    winner = world.generations.current()
    assert await world.shown() == 3
    world.happens()
    world.catch_up(slow)
    assert world.generations.names() == [winner]
    assert await world.shown() == 4


async def test_what_was_left_half_built_is_deleted_when_another_one_is_served(
    server: RedisServer, world: World
) -> None:
    ask(server, "FLUSHALL")
    eventually(lambda: world.step(limit=1) == 1)
    world.projector = world.another_projector()
    world.catch_up()
    assert world.generations.names() == [world.generations.current()]
    assert len(ask(server, "KEYS", "*")) == ORDERS + 4  # type: ignore[arg-type]  # a list for each order


async def test_a_batch_for_a_generation_that_is_gone_is_refused(server: RedisServer, world: World) -> None:
    ask(server, "FLUSHALL")
    with pytest.raises(Unavailable, match="is gone"):
        world.models[0].apply([Document("o1", 9, b"")], [Entry("list", "1", b"")], {f"{EVENTS}/0": 9})
    for read in (
        world.models[0].positions,
        lambda: world.models[0].load(["o1"]),
        lambda: [*world.models[0].documents()],
    ):
        with pytest.raises(Unavailable, match="is gone"):
            read()
    assert ask(server, "DBSIZE") == 0


async def test_a_batch_that_leaves_a_hole_is_refused(server: RedisServer, world: World) -> None:
    world.happens()
    world.step()
    name = world.generations.current()
    assert name is not None
    ask(server, "HSET", f"orderly:{{order}}:{name}:positions", f"{EVENTS}/0", "1")
    before = await world.view.positions()
    with pytest.raises(Unavailable, match="is behind"):
        world.models[0].apply([], [], {f"{EVENTS}/0": 50})
    assert await world.view.positions() == before


def test_a_redis_that_may_evict_keys_is_refused(server: RedisServer, world: World) -> None:
    ask(server, "CONFIG", "SET", "maxmemory", "100mb")
    ask(server, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    with pytest.raises(Unavailable, match="allkeys-lru"):
        world.another_projector().step()
    ask(server, "CONFIG", "SET", "maxmemory-policy", "volatile-lru")
    world.another_projector().step()


async def test_a_full_redis_takes_nothing_and_still_answers(server: RedisServer, world: World) -> None:
    world.happens()
    before = sorted(world.models[0].documents())
    ask(server, "CONFIG", "SET", "maxmemory", "1mb")
    assert world.step() == -1
    assert await world.shown() == 3
    assert sorted(world.models[0].documents()) == before
    ask(server, "CONFIG", "SET", "maxmemory", "0")
    world.catch_up()
    assert await world.shown() == 4
