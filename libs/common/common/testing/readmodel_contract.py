"""The laws of the read model, as a test suite that every store passes.

class TestMyReadModel(ReadModelContract):
    @pytest.fixture
    def store(self) -> Iterator[Store]: ...
"""

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator

import pytest

from common.readmodel import Document, Entry, ReadModel, View

WITHIN = 10.0  # seconds that anything may take


class Store(ABC):
    """One empty read model. What it opens it closes in the end."""

    @abstractmethod
    def model(self) -> ReadModel:
        """The writing side. Asked for once."""

    @abstractmethod
    def view(self) -> View:
        """The asking side in the process of the writing side."""

    @abstractmethod
    def distant_view(self) -> View:
        """The asking side in another process."""


class ReadModelContract:
    """All laws. Subclasses give the `store`."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        raise NotImplementedError("give the store under test")

    @pytest.fixture
    def model(self, store: Store) -> ReadModel:
        return store.model()

    @pytest.fixture
    def view(self, store: Store, model: ReadModel) -> View:
        return store.view()

    async def test_what_was_applied_is_read(self, model: ReadModel, view: View) -> None:
        one, other = Document("a", 1, b'{"n":1}'), Document("ü", 7, b"\x00\xff" * 5_000)
        model.apply([one, other], [Entry("list", "1", b"entry")], {"events/0": 5})
        assert await view.get("a") == one
        assert await view.get_many(["ü", "none", "a"]) == {"a": one, "ü": other}
        assert await view.list("list") == [Entry("list", "1", b"entry")]
        assert await view.positions() == model.positions() == {"events/0": 5}
        assert model.load(["a", "none"]) == {"a": one}

    async def test_a_new_model_is_empty(self, model: ReadModel, view: View) -> None:
        assert await view.get("a") is None
        assert await view.get_many([]) == await view.get_many(["a"]) == model.load([]) == {}
        assert await view.list("list") == []
        assert await view.positions() == model.positions() == {}

    async def test_many_documents_are_loaded_at_once(self, model: ReadModel, view: View) -> None:
        documents = {f"key-{n}": Document(f"key-{n}", n + 1, b"%d" % n) for n in range(2_000)}
        model.apply(list(documents.values()), [], {})
        assert model.load(list(documents)) == await view.get_many(list(documents)) == documents

    def test_all_documents_can_be_gone_through(self, model: ReadModel) -> None:
        documents = [Document(f"key-{n:04d}", n + 1, b"%d" % n) for n in range(2_500)]
        model.apply(documents[::-1], [], {})
        assert sorted(model.documents()) == documents

    async def test_a_document_that_is_not_newer_is_left_alone(self, model: ReadModel, view: View) -> None:
        model.apply([Document("a", 5, b"five")], [], {})
        for version in (4, 5):
            model.apply([Document("a", version, b"late")], [], {})
            assert await view.get("a") == Document("a", 5, b"five")
        model.apply([Document("a", 6, b"six")], [], {})
        assert await view.get("a") == Document("a", 6, b"six")

    async def test_of_two_versions_in_one_batch_the_newer_stays(self, model: ReadModel, view: View) -> None:
        model.apply(
            [Document("a", 2, b"two"), Document("a", 1, b"one"), Document("b", 1, b""), Document("b", 3, b"3")], [], {}
        )
        assert await view.get_many(["a", "b"]) == {"a": Document("a", 2, b"two"), "b": Document("b", 3, b"3")}

    async def test_a_position_never_goes_backwards(self, model: ReadModel, view: View) -> None:
        model.apply([], [], {"events/0": 5, "events/1": 1})
        model.apply([], [], {"events/0": 3, "events/1": 2})
        assert await view.positions() == model.positions() == {"events/0": 5, "events/1": 2}

    async def test_a_replayed_batch_changes_nothing(self, model: ReadModel, view: View) -> None:
        batch = [Document("a", 1, b"1")], [Entry("list", "1", b"x"), Entry("list", "2", b"y")], {"events/0": 2}
        later = [Document("a", 2, b"2")], [Entry("list", "3", b"z")], {"events/0": 3}
        for each in (batch, later, batch, later, batch):
            model.apply(*each)
        assert await view.get("a") == Document("a", 2, b"2")
        assert [entry.sort for entry in await view.list("list")] == ["1", "2", "3"]
        assert await view.positions() == {"events/0": 3}

    async def test_an_entry_that_is_written_again_is_replaced(self, model: ReadModel, view: View) -> None:
        model.apply([], [Entry("list", "1", b"old"), Entry("other", "1", b"kept")], {})
        model.apply([], [Entry("list", "1", b"new")], {})
        assert await view.list("list") == [Entry("list", "1", b"new")]
        assert await view.list("other") == [Entry("other", "1", b"kept")]

    async def test_a_list_is_in_the_order_of_its_sort_keys(self, model: ReadModel, view: View) -> None:
        sorts = ["10", "2", "Z", "a", "aa", "ü", "\U0001f642", "b"]
        model.apply([], [Entry("list", sort, sort.encode()) for sort in sorts], {})
        assert [entry.sort for entry in await view.list("list")] == sorted(sorts)
        assert [entry.sort for entry in await view.list("list", newest_first=True)] == sorted(sorts, reverse=True)

    @pytest.mark.parametrize("newest_first", [False, True])
    async def test_pages_join_without_gap_or_repeat(self, model: ReadModel, view: View, newest_first: bool) -> None:
        sorts = [f"{n:03d}" for n in range(25)]
        model.apply([], [Entry("list", sort, b"") for sort in sorts], {})
        model.apply([], [Entry("lisu", "000", b""), Entry("lis", "999", b"")], {})
        found: list[str] = []
        after = ""
        while page := await view.list("list", after=after, limit=7, newest_first=newest_first):
            assert len(page) <= 7
            found += [entry.sort for entry in page]
            after = found[-1]
        assert found == sorted(sorts, reverse=newest_first)

    @pytest.mark.parametrize("name", ["document", "list", "events/0"])
    @pytest.mark.parametrize("distant", [False, True])
    async def test_a_change_wakes_who_waits_for_it(
        self, store: Store, model: ReadModel, name: str, distant: bool
    ) -> None:
        view = store.distant_view() if distant else store.view()
        assert await view.positions() == {}

        def write() -> None:
            model.apply([Document("document", 1, b"")], [Entry("list", "1", b"")], {"events/0": 1})

        timer = threading.Timer(0.1, write)
        timer.start()
        started = time.monotonic()
        while not await view.positions():
            assert time.monotonic() - started < WITHIN
            await view.changed(name, WITHIN)
        timer.join()

    async def test_waiting_for_a_change_ends_in_time(self, view: View) -> None:
        started = time.monotonic()
        await view.changed("nothing", 0.1)
        assert time.monotonic() - started < WITHIN

    async def test_many_wait_at_once(self, model: ReadModel, view: View) -> None:
        async def follow(key: str) -> int:
            while not (document := await view.get(key)):
                await view.changed(key, WITHIN)
            return document.version

        waiting = [asyncio.create_task(follow(f"k{n}")) for n in range(100)]
        await asyncio.sleep(0.05)
        await asyncio.to_thread(model.apply, [Document(f"k{n}", n + 1, b"") for n in range(100)], [], {})
        async with asyncio.timeout(WITHIN):
            assert await asyncio.gather(*waiting) == [n + 1 for n in range(100)]

    @pytest.mark.parametrize("distant", [False, True])
    async def test_each_answer_is_from_one_moment(self, store: Store, model: ReadModel, distant: bool) -> None:
        view = store.distant_view() if distant else store.view()
        keys = [f"k{n}" for n in range(10)]
        done = threading.Event()

        def write() -> None:
            for version in range(1, 200):
                model.apply(
                    [Document(key, version, b"") for key in keys],
                    [Entry("list", key, b"%d" % version) for key in keys],
                    {key: version for key in keys},
                )
            done.set()

        writer = threading.Thread(target=write)
        writer.start()
        seen = 0
        while not done.is_set():
            versions = {document.version for document in (await view.get_many(keys)).values()}
            bodies = {entry.body for entry in await view.list("list")}
            positions = set((await view.positions()).values())
            assert max(len(versions), len(bodies), len(positions)) <= 1
            assert min(positions, default=0) >= max(versions, default=0) >= seen
            seen = max(versions, default=0)
            await asyncio.sleep(0)
        writer.join()
        assert {document.version for document in (await view.get_many(keys)).values()} == {199}
