"""Three ways to write beside a cache.

WriteThrough   to the source, then to the cache: the next read is a hit
WriteAround    to the source, and out of the cache: for what is written more often than it is read
WriteBehind    to the cache, and to the source a little later, many writes of a key as one: the fastest, and what was
               acknowledged and not yet written is lost with the process. Never for what a law is about
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

import structlog

from common.cache.loader import Loader
from common.cache.port import Entry, Loaded

Store = Callable[[], Awaitable[Loaded]]  # performs the write; what the source then has

_log = structlog.get_logger("cache")


class Writing(ABC):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    async def write(self, key: str, store: Store) -> Loaded:
        """Raises what the source raises: then whether it was written is unknown, and the cache has no opinion either."""
        try:
            written = await store()
        except BaseException:
            await self._loader.invalidate(key)
            raise
        await self._written(key, written)
        return written

    @abstractmethod
    async def _written(self, key: str, written: Loaded) -> None: ...


class WriteThrough(Writing):
    async def _written(self, key: str, written: Loaded) -> None:
        await self._loader.put(key, written)


class WriteAround(Writing):
    async def _written(self, key: str, written: Loaded) -> None:
        await self._loader.invalidate(key)


STRATEGIES: dict[str, type[Writing]] = {"write-through": WriteThrough, "write-around": WriteAround}


class WriteBehind:
    """`store` writes one key's last value. At most `most` keys wait to be written; whoever comes with one more waits too."""

    def __init__(
        self, loader: Loader, store: Callable[[str, Loaded], Awaitable[None]], every: float = 0.05, most: int = 1_000
    ) -> None:
        self._loader = loader
        self._store = store
        self._every = every
        self._most = most
        self._unsaved: dict[str, Loaded] = {}
        self._room = asyncio.Condition()
        self._saver: asyncio.Task[None] | None = None

    @property
    def unsaved(self) -> int:
        """What would be lost now."""
        return len(self._unsaved)

    async def write(self, key: str, value: Loaded) -> Entry:
        async with self._room:
            await self._room.wait_for(lambda: key in self._unsaved or len(self._unsaved) < self._most)
            self._unsaved[key] = value
        if self._saver is None or self._saver.done():
            self._saver = asyncio.create_task(self._save_all())
        return await self._loader.put(key, value)

    async def flush(self) -> None:
        """Return when everything is written."""
        while self._saver is not None and not self._saver.done():
            await asyncio.shield(self._saver)

    async def _save_all(self) -> None:
        while self._unsaved:
            await asyncio.sleep(self._every)
            for key, value in list(self._unsaved.items()):
                await self._save(key, value)

    async def _save(self, key: str, value: Loaded) -> None:
        try:
            await self._store(key, value)
        except Exception as error:  # it stays where it is, and is tried again
            _log.warning("cannot be written yet", error=repr(error))
            return
        async with self._room:
            if self._unsaved.get(key) == value:  # else it was written to again meanwhile
                del self._unsaved[key]
            self._room.notify_all()
