"""The read model in Redis keeps the laws of the port."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from common.readmodel import Bell, ReadModel, View
from common.readmodel.redis import RedisReadModel, RedisView
from common.testing.readmodel_contract import ReadModelContract, Store

pytestmark = pytest.mark.redis

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
