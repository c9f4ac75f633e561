"""The read model in Redis keeps the laws of the port, and holds what the one in memory holds after the same batches."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.readmodel import Bell, Document, Entry, ReadModel, View
from common.readmodel.memory import MemoryReadModel
from common.readmodel.redis import RedisReadModel, RedisView
from common.testing.readmodel_contract import ReadModelContract, Store

pytestmark = [pytest.mark.redis, pytest.mark.usefixtures("patient")]

_services = itertools.count()


class RedisStore(Store):
    """A service of its own in a Redis that others use as well."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._service = f"service-{next(_services)}"
        self._bell = Bell()
        self._closing: list[Callable[[], None]] = []

    def model(self) -> ReadModel:
        model = RedisReadModel(self._url, self._service, self._bell)
        self._closing.append(model.close)
        assert model.generation
        model.serve()
        return model

    def view(self) -> View:
        return self._view(self._bell)

    def distant_view(self) -> View:
        return self._view(Bell())

    def _view(self, bell: Bell) -> View:
        view = RedisView(self._url, self._service, bell)
        self._closing.append(view.close)
        return view

    def close(self) -> None:
        for close in self._closing:
            close()


class TestRedisReadModel(ReadModelContract):
    @pytest.fixture
    def store(self, redis_url: str) -> Iterator[Store]:
        store = RedisStore(redis_url)
        yield store
        store.close()


Batch = tuple[Sequence[Document], Sequence[Entry], Mapping[str, int]]

names = st.sampled_from(["a", "b", "ab", "ü", "ord_1", "timeline/ord_1", "\U0001f642", "*", " 1", "{x}"])
bodies = st.binary(max_size=80)
batches = st.tuples(
    st.lists(st.builds(Document, names, st.integers(1, 2**53 - 1) | st.integers(1, 5), bodies), max_size=6),
    st.lists(st.builds(Entry, names, names, bodies), max_size=8),
    st.dictionaries(names, st.integers(1, 9), max_size=4),
)


@given(history=st.lists(batches, max_size=8), replays=st.lists(st.integers(0, 7), max_size=8))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_batches_and_replays_leave_what_they_leave_in_memory(
    redis_url: str, history: Sequence[Batch], replays: Sequence[int]
) -> None:
    store, memory = RedisStore(redis_url), MemoryReadModel()
    model, view, expected = store.model(), store.view(), memory.view()
    for batch in [*history, *(history[n] for n in replays if n < len(history))]:
        for each in (model, memory):
            each.apply(*batch)
    keys = {document.key for documents, _, _ in history for document in documents}
    lists = {entry.list for _, entries, _ in history for entry in entries}
    assert await view.get_many(list(keys)) == await expected.get_many(list(keys))
    assert sorted(model.documents()) == sorted(memory.documents())
    assert model.positions() == await view.positions() == memory.positions()
    for name, newest_first in itertools.product(lists, (False, True)):
        whole = await view.list(name, newest_first=newest_first)
        assert whole == await expected.list(name, newest_first=newest_first)
        for entry in whole:
            page = await view.list(name, after=entry.sort, limit=2, newest_first=newest_first)
            assert page == await expected.list(name, after=entry.sort, limit=2, newest_first=newest_first)
    store.close()
