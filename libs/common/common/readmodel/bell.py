"""Wakes those who wait for what a projector writes; what a write rings for, and how long somebody waits for a lost ring."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar

from common.readmodel.port import Document, Entry

LOST_RING = 0.25  # seconds
_REMEMBERED = 8  # rings


class Bell:
    """Wakes those on an event loop who wait for a key, when a projector thread of the same process has written it.

    Who looks, finds nothing and then waits misses no ring between the two, if each look says so by `look`.
    """

    def __init__(self) -> None:
        self.rung_here = False  # whether those who write are in this process
        self._rings = 0
        self._last: deque[tuple[int, frozenset[str]]] = deque(maxlen=_REMEMBERED)
        self._waiting: dict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._loop: asyncio.AbstractEventLoop | None = None

    def ring(self, names: Iterable[str]) -> None:
        """From any thread, but from one at a time."""
        rung = frozenset(names)
        self._last.append((self._rings + 1, rung))
        self._rings += 1
        if self._loop is None or self._loop.is_closed():
            return
        wanted = [name for name in rung if name in self._waiting]
        if wanted:
            self._loop.call_soon_threadsafe(self._wake, wanted)

    def look(self) -> None:
        """To be called before each look: the next `wait` of this task returns at once if `name` is rung from now on."""
        _looked.set((self, self._rings))

    async def wait(self, name: str, within: float) -> None:
        """Until `name` is rung, or was since the last `look`; after `within` seconds in any case."""
        self._loop = asyncio.get_running_loop()
        heard: asyncio.Future[None] = self._loop.create_future()
        self._waiting[name].add(heard)
        try:
            if not self._rung_since_look(name):
                await asyncio.wait((heard,), timeout=within)
        finally:
            self._waiting[name].discard(heard)
            if not self._waiting[name]:
                del self._waiting[name]

    def _rung_since_look(self, name: str) -> bool:
        bell, looked = _looked.get((self, self._rings))
        if bell is not self or looked == self._rings:
            return False
        last = list(self._last)
        return last[0][0] > looked + 1 or any(name in names for number, names in last if number > looked)

    def _wake(self, names: Sequence[str]) -> None:
        for name in names:
            for heard in self._waiting.get(name, ()):
                if not heard.done():
                    heard.set_result(None)


_looked: ContextVar[tuple[Bell, int]] = ContextVar("looked")


def touched(documents: Sequence[Document], entries: Sequence[Entry], positions: Mapping[str, int]) -> Iterator[str]:
    for document in documents:
        yield document.key
    for entry in entries:
        yield entry.list
    yield from positions
