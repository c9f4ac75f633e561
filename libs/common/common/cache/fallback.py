"""A shared cache with a local one behind it: while the shared one is away, reads go on, and never fail because of it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from common.cache.port import Cache, Entry
from common.errors import Unavailable
from common.resilience.absence import Absence

T = TypeVar("T")


class FallbackCache:
    """Raises nothing that the shared one raises. `absence` lasts longer than an entry stays fresh, and the local one starts
    empty each time: so neither shows what was before."""

    def __init__(self, shared: Cache, local: Cache, absence: Absence) -> None:
        self._shared = shared
        self._local = local
        self._absence = absence

    async def get(self, key: str) -> Entry | None:
        return await self._ask(lambda cache: cache.get(key))

    async def put(self, key: str, entry: Entry) -> None:
        await self._ask(lambda cache: cache.put(key, entry))

    async def delete(self, key: str) -> None:
        await self._ask(lambda cache: cache.delete(key))

    async def clear(self) -> None:
        await self._local.clear()
        await self._shared.clear()

    async def close(self) -> None:
        await self._shared.close()

    async def _ask(self, question: Callable[[Cache], Awaitable[T]]) -> T:
        if self._absence.ask():
            try:
                answer = await question(self._shared)
            except Unavailable:
                if self._absence.begin():
                    await self._local.clear()
            else:
                self._absence.end()
                return answer
        return await question(self._local)
