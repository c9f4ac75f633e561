"""Read models in Redis are built beside the served one and switched to, and nobody reads backwards by it."""

from collections.abc import Iterator

import pytest

from common.errors import OrderlyError, Unavailable
from common.readmodel import Bell, Document, Entry
from common.readmodel.redis import RedisGenerations, RedisReadModel, RedisView

pytestmark = [pytest.mark.redis, pytest.mark.usefixtures("patient")]


class World:
    """A served model of one document at version 1, its view, and a new generation that is being built."""

    def __init__(self, url: str, service: str) -> None:
        self.generations = RedisGenerations(url, service)
        self.live = RedisReadModel(url, service, Bell())
        self.view = RedisView(url, service, Bell())
        assert self.live.generation
        self.live.serve()
        self.live.apply([Document("a", 1, b"old")], [Entry("list", "1", b"old")], {"events/0": 1})
        self.old = self.generations.current()
        self.new = self.generations.new()
        self.fresh = RedisReadModel(url, service, Bell(), generation=self.new)

    def close(self) -> None:
        for each in (self.generations, self.live, self.view, self.fresh):
            each.close()


@pytest.fixture
def world(redis_url: str, request: pytest.FixtureRequest) -> Iterator[World]:
    world = World(redis_url, request.node.name)
    yield world
    world.close()


async def test_one_that_is_built_beside_is_not_seen_before_the_switch(world: World) -> None:
    assert world.fresh.generation == world.new != world.old == world.generations.current()
    assert world.fresh.positions() == {}
    world.fresh.apply([Document("a", 2, b"new")], [Entry("list", "1", b"new")], {"events/0": 2})
    assert await world.view.get("a") == Document("a", 1, b"old")
    assert world.generations.names() == [world.old, world.new]

    before = world.live.generation
    assert world.generations.switch(world.new)
    assert world.generations.current() == world.new
    assert await world.view.get("a") == Document("a", 2, b"new")
    assert await world.view.list("list") == [Entry("list", "1", b"new")]
    with pytest.raises(Unavailable, match="is gone"):
        world.live.apply([Document("a", 2, b"late")], [], {"events/0": 2})
    assert world.live.generation != before
    world.live.apply([Document("a", 3, b"live")], [], {"events/0": 3})
    assert await world.view.get("a") == Document("a", 3, b"live")


async def test_one_that_is_behind_is_refused_or_answers_only_when_it_has_caught_up(world: World) -> None:
    world.fresh.apply([Document("a", 1, b"old")], [], {"events/0": 1})
    world.live.apply([Document("a", 2, b"newer")], [], {"events/0": 2})
    assert not world.generations.switch(world.new)
    assert world.generations.current() == world.old
    assert await world.view.get("a") == Document("a", 2, b"newer")
    assert world.generations.switch(world.new, behind=True)
    with pytest.raises(Unavailable, match="catching up"):
        await world.view.get("a")
    with pytest.raises(Unavailable, match="is gone"):
        world.live.positions()
    assert world.live.generation and world.live.positions() == {"events/0": 1}
    world.live.apply([Document("a", 2, b"newer")], [], {"events/0": 2})
    world.live.serve()
    assert await world.view.get("a") == Document("a", 2, b"newer")


async def test_only_one_that_is_not_served_is_dropped_and_all_of_it_is(world: World) -> None:
    world.fresh.apply([Document("a", 1, b"")], [Entry(f"list-{n}", "1", b"") for n in range(1_500)], {"events/0": 1})
    with pytest.raises(OrderlyError, match="being served"):
        world.generations.drop(world.old or "")
    world.generations.drop(world.new)
    assert world.generations.names() == [world.old]
    with pytest.raises(Unavailable, match="is gone"):
        world.fresh.apply([Document("a", 1, b"")], [], {})
    with pytest.raises(OrderlyError, match="no such generation"):
        world.generations.switch(world.new)
    assert await world.view.get("a") == Document("a", 1, b"old")


async def test_one_that_is_condemned_is_built_anew(world: World) -> None:
    world.generations.condemn(world.old or "")
    assert world.generations.current() is None
    with pytest.raises(Unavailable, match="being built"):
        await world.view.get("a")
    with pytest.raises(Unavailable, match="is gone"):
        world.live.load(["a"])
    assert world.live.generation and world.live.positions() == {}
    world.live.serve()
    assert await world.view.get("a") is None
