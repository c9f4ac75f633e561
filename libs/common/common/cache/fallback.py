"""A shared cache, and behind it what this process has seen itself: while the shared one is away, reads go on without it.

An answer is never older than what this process has answered before: of the two the newer version counts. What the shared one
has no more stands in only when the source is away as well.
"""

from common.cache.port import Cache, Entry
from common.errors import Unavailable
from common.resilience.absence import Absence


class FallbackCache:
    """Raises nothing that the shared one raises."""

    def __init__(self, shared: Cache, local: Cache, absence: Absence) -> None:
        self._shared = shared
        self._local = local
        self._absence = absence

    async def get(self, key: str) -> Entry | None:
        seen = await self._local.get(key)
        if not self._absence.ask():
            return seen
        try:
            found = await self._shared.get(key)
        except Unavailable:
            self._absence.begin()
            return seen
        self._absence.end()
        if found is not None and (seen is None or seen.version <= found.version):
            await self._local.put(key, found)
            return found
        return seen if found is not None or seen is None else seen._replace(fresh_until=seen.loaded)

    async def put(self, key: str, entry: Entry) -> None:
        await self._local.put(key, entry)
        if self._absence.ask():
            try:
                await self._shared.put(key, entry)
                self._absence.end()
            except Unavailable:
                self._absence.begin()

    async def delete(self, key: str) -> None:
        await self._local.delete(key)
        if self._absence.ask():
            try:
                await self._shared.delete(key)
                self._absence.end()
            except Unavailable:
                self._absence.begin()

    async def clear(self) -> None:
        await self._local.clear()
        await self._shared.clear()

    async def close(self) -> None:
        await self._shared.close()
