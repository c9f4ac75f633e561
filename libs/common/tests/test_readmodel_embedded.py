"""The embedded read model keeps the laws of the port; its generations, its files, and kill -9."""

import asyncio
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.errors import OrderlyError, Unavailable
from common.readmodel import Bell, Document, Entry, ReadModel, View
from common.readmodel.embedded import EmbeddedReadModel, EmbeddedView
from common.readmodel.generations import EmbeddedGenerations
from common.testing.eventually import eventually
from common.testing.readmodel_contract import ReadModelContract, Store


class EmbeddedStore(Store):
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._bell = Bell()
        self._closing: list[Callable[[], None]] = []

    def model(self) -> ReadModel:
        model = EmbeddedReadModel(self._directory, self._bell)
        model.serve()
        self._closing.append(model.close)
        return model

    def view(self) -> View:
        return self._view(self._bell)

    def distant_view(self) -> View:
        return self._view(Bell())

    def _view(self, bell: Bell) -> View:
        view = EmbeddedView(self._directory, bell)
        self._closing.append(view.close)
        return view

    def close(self) -> None:
        for close in self._closing:
            close()


class TestEmbeddedReadModel(ReadModelContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = EmbeddedStore(tmp_path / "readmodel")
        yield store
        store.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "readmodel"


@pytest.fixture
def model(directory: Path) -> Iterator[EmbeddedReadModel]:
    model = EmbeddedReadModel(directory, Bell())
    model.serve()
    yield model
    model.close()


@pytest.fixture
def view(directory: Path) -> Iterator[EmbeddedView]:
    view = EmbeddedView(directory, Bell())
    yield view
    view.close()


async def test_nothing_is_answered_before_a_model_is_served(directory: Path, view: EmbeddedView) -> None:
    model = EmbeddedReadModel(directory, Bell())
    model.apply([Document("a", 1, b"")], [], {})
    for ask in (view.get("a"), view.get_many(["a"]), view.list("l"), view.positions()):
        with pytest.raises(Unavailable, match="being built"):
            await ask
    await view.changed("a", 0.05)
    name = model.generation
    model.serve()
    await _comes(view, Document("a", 1, b""))
    assert model.generation == name
    model.close()


def test_what_was_left_half_built_is_deleted_when_another_one_is_served(directory: Path) -> None:
    left = EmbeddedReadModel(directory, Bell())
    left.close()
    model = EmbeddedReadModel(directory, Bell())
    assert EmbeddedGenerations(directory).names() == [left.generation, model.generation]
    model.serve()
    assert EmbeddedGenerations(directory).names() == [model.generation]
    model.close()


def test_of_two_that_are_built_the_first_to_be_done_is_served(directory: Path) -> None:
    slow, quick = EmbeddedReadModel(directory, Bell()), EmbeddedReadModel(directory, Bell())
    quick.serve()
    slow.serve()
    eventually(lambda: slow.generation, lambda name: name == quick.generation)
    assert EmbeddedGenerations(directory).names() == [quick.generation]
    slow.close()
    quick.close()


async def test_a_model_goes_on_where_it_was_closed(directory: Path) -> None:
    first = EmbeddedReadModel(directory, Bell())
    first.serve()
    first.apply([Document("a", 1, b"")], [], {"events/0": 1})
    first.close()
    second = EmbeddedReadModel(directory, Bell())
    assert second.generation == first.generation
    assert second.positions() == {"events/0": 1}
    second.close()


async def test_a_generation_is_built_beside_the_served_one_and_switched_to(
    directory: Path, model: EmbeddedReadModel, view: EmbeddedView
) -> None:
    model.apply([Document("a", 1, b"old")], [], {"events/0": 1})
    generations = EmbeddedGenerations(directory)
    old, new = model.generation, generations.new()
    beside = EmbeddedReadModel(directory, Bell(), generation=new)
    assert beside.generation == new and beside.positions() == {}
    beside.apply([Document("a", 2, b"new")], [], {"events/0": 2})
    assert await view.get("a") == Document("a", 1, b"old")
    assert model.generation == old
    beside.close()

    assert generations.switch(new)
    assert generations.current() == new
    assert eventually(lambda: model.generation, lambda name: name == new, within=2) == new
    assert model.positions() == {"events/0": 2}
    await _comes(view, Document("a", 2, b"new"))
    model.apply([Document("a", 3, b"live")], [], {"events/0": 3})
    assert await view.get("a") == Document("a", 3, b"live")

    generations.drop(old)
    assert generations.names() == [new]
    with pytest.raises(OrderlyError, match="being served"):
        generations.drop(new)
    with pytest.raises(OrderlyError, match="no such generation"):
        generations.switch(old)


async def test_one_that_is_behind_is_refused_and_nobody_writes_to_one_that_was_replaced(
    directory: Path, model: EmbeddedReadModel
) -> None:
    model.apply([Document("a", 1, b"")], [], {"events/0": 1})
    generations = EmbeddedGenerations(directory)
    old, new = model.generation, generations.new()
    beside = EmbeddedReadModel(directory, Bell(), generation=new)
    assert not generations.switch(new)
    assert generations.current() == old
    beside.apply([Document("a", 1, b"")], [], {"events/0": 1})
    assert generations.switch(new)
    with pytest.raises(Unavailable, match="not served any more"):
        model.apply([Document("a", 2, b"late")], [], {"events/0": 2})
    assert beside.positions() == {"events/0": 1}
    assert model.generation == new
    beside.close()

    lost = generations.new()
    EmbeddedReadModel(directory, Bell(), generation=lost).close()
    assert generations.switch(lost, behind=True)


async def test_a_deleted_model_starts_anew_under_a_new_name(directory: Path, model: EmbeddedReadModel) -> None:
    model.apply([Document("a", 1, b"")], [], {"events/0": 1})
    old = model.generation
    shutil.rmtree(directory)
    assert eventually(lambda: model.generation, lambda name: name != old, within=2) != old
    assert model.positions() == {}
    model.apply([Document("a", 1, b"again")], [], {"events/0": 1})
    model.serve()
    view = EmbeddedView(directory, Bell())
    assert await view.get("a") == Document("a", 1, b"again")
    view.close()


@pytest.mark.parametrize("damage", [b"no database at all, not even remotely" * 200, b""])
async def test_a_damaged_model_starts_anew(directory: Path, damage: bytes) -> None:
    first = EmbeddedReadModel(directory, Bell())
    first.apply([Document("a", 1, b"")], [], {"events/0": 1})
    name = first.generation
    first.close()
    EmbeddedGenerations(directory).path(name).write_bytes(damage)
    second = EmbeddedReadModel(directory, Bell())
    assert second.positions() == {}
    second.apply([Document("a", 1, b"again")], [], {"events/0": 1})
    assert second.load(["a"]) == {"a": Document("a", 1, b"again")}
    second.close()


async def test_damage_that_shows_later_is_repaired_by_the_projector(directory: Path) -> None:
    model = EmbeddedReadModel(directory, Bell())
    model.serve()
    model.apply([Document(f"k{n}", 1, bytes(1_000)) for n in range(2_000)], [], {"events/0": 1})
    name = model.generation
    model.close()
    path = EmbeddedGenerations(directory).path(name)
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    model = EmbeddedReadModel(directory, Bell())
    view = EmbeddedView(directory, Bell())
    if model.generation == name:  # it could be opened: reading comes upon the damage
        with pytest.raises(Unavailable, match="damaged"):
            await view.get("k1000")
        eventually(lambda: model.generation, lambda now: now != name, within=2)
    assert model.positions() == {}
    model.apply([Document("k1", 1, b"again")], [], {"events/0": 1})
    model.serve()
    await _comes(view, Document("k1", 1, b"again"))
    view.close()
    model.close()


def test_kill_9_tears_no_batch(directory: Path) -> None:
    code = f"""
import itertools
from pathlib import Path
from common.readmodel import Bell, Document, Entry
from common.readmodel.embedded import EmbeddedReadModel
model = EmbeddedReadModel(Path({str(directory)!r}), Bell())
model.serve()
for n in itertools.count(model.positions().get("events/0", 0) + 1):
    model.apply([Document(f"k{{k}}", n, b"%d" % n) for k in range(20)], [Entry("l", f"{{n:09d}}", b"")], {{"events/0": n}})
    print(n, flush=True)
"""
    chance = random.Random(3)
    acknowledged = 0
    for _ in range(4):
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(chance.random() * 0.2)
        child.kill()
        said, _ = child.communicate()
        acknowledged = max(acknowledged, *(int(line) for line in said.splitlines() if line.isdecimal()), 0)
        model = EmbeddedReadModel(directory, Bell())
        position = model.positions()["events/0"]
        assert position >= acknowledged
        assert {document.version for document in model.load([f"k{k}" for k in range(20)]).values()} == {position}
        database = sqlite3.connect(EmbeddedGenerations(directory).path(model.generation))
        assert database.execute("SELECT count(*) FROM entries").fetchone() == (position,)
        database.close()
        model.close()
    assert acknowledged > 10


async def test_only_what_was_written_rings(directory: Path) -> None:
    bell = Bell()
    model = EmbeddedReadModel(directory, bell)
    names = ["a", "list", "events/0", "b"]
    waiting = {name: asyncio.create_task(bell.wait(name, 0.3)) for name in names}
    await asyncio.sleep(0)
    model.apply([Document("a", 1, b"")], [Entry("list", "1", b"")], {"events/0": 1})
    done, _ = await asyncio.wait(waiting.values(), timeout=0.1)
    assert {name for name, task in waiting.items() if task in done} == {"a", "list", "events/0"}
    await asyncio.wait(waiting.values())
    model.close()


async def _comes(view: View, document: Document) -> None:
    """The view shows it, at the latest a second after the switch."""
    async with asyncio.timeout(2):
        while await view.get(document.key) != document:
            await view.changed(document.key, 0.05)
