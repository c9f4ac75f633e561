"""A read model is built anew beside the served one and takes its place while events go on and are read: nobody notices."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from common import replay, topology
from common.clock import Millis
from common.contracts.order import OrderConfirmed
from common.engine import Engine
from common.engine.embedded import EmbeddedEngine
from common.errors import Unavailable
from common.eventlog import Record, partition_of
from common.eventlog.memory import MemoryLog
from common.projector import Projector
from common.readmodel import Bell, Document, View
from common.readmodel.redis import RedisGenerations, RedisReadModel, RedisView
from common.testing.counting import Counts
from common.testing.histories import History

EVENTS = topology.events(topology.ORDER)
KEY = "o1"


class RedisEngine:
    """Its log is in memory."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._log = MemoryLog()
        self._log.create(topology.topics())

    def open_log(self, *, lease: Millis = 5_000, housekeeping: bool = False) -> MemoryLog:
        return self._log

    def generations(self, service: str) -> RedisGenerations:
        return RedisGenerations(self._url, service)

    def open_read_model(self, service: str, bell: Bell, *, generation: str | None = None) -> RedisReadModel:
        return RedisReadModel(self._url, service, bell, generation=generation)

    def open_view(self, service: str, bell: Bell) -> RedisView:
        return RedisView(self._url, service, bell)


@pytest.fixture(params=["embedded", pytest.param("redis", marks=pytest.mark.redis)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    if request.param == "redis":
        return RedisEngine(request.getfixturevalue("redis_url"))
    embedded = EmbeddedEngine(tmp_path)
    log = embedded.open_log()
    log.create(topology.topics())
    log.close()
    return embedded


class World:
    """An order to which things happen, and a projector that folds them, each in its thread, until `stop`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.model = engine.open_read_model(topology.ORDER, Bell())
        self.stopped = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._happen, self._project)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self.stopped.set()
        for thread in self._threads:
            thread.join()
        self.model.close()

    def _happen(self) -> None:
        log, history = self.engine.open_log(), History(topology.ORDER, KEY)
        while not self.stopped.wait(0.001):
            record = history.record(OrderConfirmed(KEY))
            log.append([Record(EVENTS, record.key, record.value, record.headers)]).result()
        log.close()

    def _project(self) -> None:
        log = self.engine.open_log()
        projector = Projector(topology.ORDER, Counts(), log, self.model)
        while not self.stopped.is_set():
            try:
                projector.step(0.1)
            except Unavailable:
                projector.restart()
        projector.close()
        log.close()


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    world = World(engine)
    yield world
    world.stop()


async def test_whoever_reads_while_a_rebuilt_one_takes_its_place_is_answered_and_never_from_the_past(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a strong read does: it waits until the model has folded so much, and then asks it."""
    view, generations = world.engine.open_view(topology.ORDER, Bell()), world.engine.generations(topology.ORDER)
    place = f"{EVENTS}/{partition_of(KEY, topology.PARTITIONS)}"
    while await _version(view) < 50:
        await view.changed(KEY, 0.1)
    for _ in range(3):
        before, seen = generations.current(), 0
        rebuilt = asyncio.create_task(
            asyncio.to_thread(replay.run, topology.ORDER, Counts(), world.engine, switch=True)
        )
        enough = None
        while enough is None or seen < enough:
            folded = (await view.positions())[place]
            shown = await view.get(KEY)
            assert shown is not None and shown.version >= max(seen, folded)
            seen = shown.version
            if enough is None and rebuilt.done():
                assert await rebuilt == 0
                enough = seen + 50  # the live projector goes on with the new one
            await asyncio.sleep(0)
        assert generations.current() != before
        assert "is served now" in capsys.readouterr().out
    view.close()


async def _version(view: View) -> int:
    try:
        shown = await view.get(KEY)
    except Unavailable:  # it is being built
        return 0
    return shown.version if shown is not None else 0


async def test_what_was_tampered_with_is_told_and_replaced(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where the served one claims more than there is, so that no fold reaches it: the log is the truth."""
    log, history = engine.open_log(), History(topology.ORDER, KEY)
    record = history.record(OrderConfirmed(KEY))
    log.append([Record(EVENTS, record.key, record.value, record.headers)]).result()
    model = engine.open_read_model(topology.ORDER, Bell())
    projector = Projector(topology.ORDER, Counts(), log, model)
    while not projector.whole:
        projector.step(0.1)
    model.apply([Document("ghost", 1, b"")], [], {f"{EVENTS}/0": 1_000})
    assert await asyncio.to_thread(replay.run, topology.ORDER, Counts(), engine, switch=False, patience=0.5) == 1
    assert len(engine.generations(topology.ORDER).names()) == 1

    assert await asyncio.to_thread(replay.run, topology.ORDER, Counts(), engine, switch=True, patience=0.5) == 1
    assert "only in the live one: ghost" in capsys.readouterr().out
    view = engine.open_view(topology.ORDER, Bell())
    while await _version(view) != 1:
        with contextlib.suppress(Unavailable):
            projector.step(0.1)
    assert await view.get("ghost") is None
    for each in (view, projector, model, log):
        each.close()
