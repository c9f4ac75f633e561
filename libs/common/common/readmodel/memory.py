"""A read model in memory: for simulations and tests, and for a service that can rebuild it faster than open a file."""

import threading
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from common.readmodel.bell import LOST_RING, Bell, touched
from common.readmodel.port import Document, Entry


class MemoryReadModel:
    """The writing side, and by `view()` the asking side of the same data."""

    generation = "memory"

    def __init__(self, bell: Bell | None = None) -> None:
        self.bell = bell or Bell()
        self._lock = threading.Lock()
        self._documents: dict[str, Document] = {}
        self._entries: dict[tuple[str, str], Entry] = {}
        self._sorts: defaultdict[str, list[str]] = defaultdict(list)  # list name -> its sort keys in order
        self._positions: dict[str, int] = {}

    def view(self) -> "MemoryView":
        return MemoryView(self)

    def load(self, keys: Sequence[str]) -> Mapping[str, Document]:
        with self._lock:
            return {key: self._documents[key] for key in keys if key in self._documents}

    def documents(self) -> Iterator[Document]:
        with self._lock:
            return iter(list(self._documents.values()))

    def apply(self, documents: Sequence[Document], entries: Sequence[Entry], positions: Mapping[str, int]) -> None:
        with self._lock:
            for document in documents:
                stored = self._documents.get(document.key)
                if stored is None or stored.version < document.version:
                    self._documents[document.key] = document
            for entry in entries:
                if (entry.list, entry.sort) not in self._entries:
                    insort(self._sorts[entry.list], entry.sort)
                self._entries[entry.list, entry.sort] = entry
            for name, position in positions.items():
                self._positions[name] = max(position, self._positions.get(name, 0))
        self.bell.ring(touched(documents, entries, positions))

    def positions(self) -> Mapping[str, int]:
        with self._lock:
            return dict(self._positions)

    def list(self, name: str, after: str, limit: int, newest_first: bool) -> Sequence[Entry]:
        with self._lock:
            sorts = self._sorts.get(name, [])
            if newest_first:
                end = bisect_left(sorts, after) if after else len(sorts)
                found = sorts[max(0, end - limit) : end][::-1]
            else:
                start = bisect_right(sorts, after) if after else 0
                found = sorts[start : start + limit]
            return [self._entries[name, sort] for sort in found]

    def serve(self) -> None:
        """It always is."""

    def close(self) -> None:
        """Holds nothing."""


class MemoryView:
    def __init__(self, model: MemoryReadModel) -> None:
        self._model = model

    async def get(self, key: str) -> Document | None:
        self._model.bell.look()
        return self._model.load([key]).get(key)

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, Document]:
        self._model.bell.look()
        return self._model.load(keys)

    async def list(self, name: str, *, after: str = "", limit: int = 50, newest_first: bool = False) -> Sequence[Entry]:
        self._model.bell.look()
        return self._model.list(name, after, limit, newest_first)

    async def positions(self) -> Mapping[str, int]:
        self._model.bell.look()
        return self._model.positions()

    async def changed(self, name: str, within: float) -> None:
        await self._model.bell.wait(name, min(within, LOST_RING))

    def close(self) -> None:
        """Holds nothing."""
