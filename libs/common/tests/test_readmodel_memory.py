"""The memory read model keeps the laws of the port."""

from collections.abc import Iterator

import pytest

from common.readmodel import ReadModel, View
from common.readmodel.memory import MemoryReadModel
from common.testing.readmodel_contract import ReadModelContract, Store


class MemoryStore(Store):
    def __init__(self) -> None:
        self._model = MemoryReadModel()

    def model(self) -> ReadModel:
        return self._model

    def view(self) -> View:
        return self._model.view()

    def distant_view(self) -> View:
        return self._model.view()


class TestMemoryReadModel(ReadModelContract):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        yield MemoryStore()
