"""What Orderly asks of a read model. Every store passes `common.testing.readmodel_contract` unchanged.

A read model holds documents (by key, each with the version of the aggregate it shows), lists (members in the order of
their sort key, for listings and timelines) and positions (how far the fold has read). All are written together: a crash
between data and checkpoint cannot happen. It may be thrown away and rebuilt from the log at any time.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol


class Document(NamedTuple):
    """`version` is that of the last event folded in; `body` is JSON."""

    key: str
    version: int
    body: bytes


class Entry(NamedTuple):
    """A member of a list. (list, sort) names it: writing it again replaces it, so a replay adds nothing."""

    list: str
    sort: str
    body: bytes


class ReadModel(Protocol):
    """The writing side, used by one projector thread."""

    @property
    def generation(self) -> str:
        """Changes when the model was rebuilt and switched: whoever writes must then go on from its `positions`."""
        ...

    def load(self, keys: Sequence[str]) -> Mapping[str, Document]:
        """The documents that exist among `keys`."""
        ...

    def documents(self) -> Iterator[Document]:
        """All of them, in no particular order; some may change meanwhile."""
        ...

    def apply(self, documents: Sequence[Document], entries: Sequence[Entry], positions: Mapping[str, int]) -> None:
        """Write all of it or nothing. A document not newer than the stored one is left alone (a replayed batch is
        harmless), and a position never goes backwards. Rings the bell with the names of all that was written."""
        ...

    def positions(self) -> Mapping[str, int]:
        """The checkpoint: empty for a model that was lost and has to be rebuilt from the first event."""
        ...

    def close(self) -> None: ...


class View(Protocol):
    """The asking side, on an event loop. Each answer is from one consistent moment."""

    async def get(self, key: str) -> Document | None: ...

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, Document]: ...

    async def list(self, name: str, *, after: str = "", limit: int = 50, newest_first: bool = False) -> Sequence[Entry]:
        """Members whose sort key lies strictly beyond `after` (all, when it is empty), at most `limit`."""
        ...

    async def positions(self) -> Mapping[str, int]: ...

    async def changed(self, name: str, within: float) -> None:
        """Return when the document, list or position `name` may have changed, or after `within` seconds, maybe earlier."""
        ...

    def close(self) -> None: ...


class Bell:
    """Wakes those on an event loop who wait for a key, when a projector thread of the same process has written it.

    Waiting costs nothing until the key is rung; ringing keys that nobody waits for costs a set lookup.
    """

    def __init__(self) -> None:
        self.rung_here = False  # whether those who write are in this process
        self._waiting: dict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._loop: asyncio.AbstractEventLoop | None = None

    def ring(self, names: Iterable[str]) -> None:
        """From any thread. Does nothing while nobody waits."""
        if self._loop is None or self._loop.is_closed():
            return
        wanted = [name for name in names if name in self._waiting]
        if wanted:
            self._loop.call_soon_threadsafe(self._wake, wanted)

    async def wait(self, name: str, within: float) -> None:
        self._loop = asyncio.get_running_loop()
        heard: asyncio.Future[None] = self._loop.create_future()
        self._waiting[name].add(heard)
        try:
            await asyncio.wait((heard,), timeout=within)
        finally:
            self._waiting[name].discard(heard)
            if not self._waiting[name]:
                del self._waiting[name]

    def _wake(self, names: Sequence[str]) -> None:
        for name in names:
            for heard in self._waiting.get(name, ()):
                if not heard.done():
                    heard.set_result(None)
