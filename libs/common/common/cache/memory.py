"""A cache in this process: the entries used least recently have to go when there are too many (LRU)."""

from collections import OrderedDict

from common.cache.port import Entry
from common.clock import Clock, system_clock


class MemoryCache:
    def __init__(self, most: int = 10_000, clock: Clock = system_clock) -> None:
        self._most = most
        self._clock = clock
        self._entries: OrderedDict[str, Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    async def get(self, key: str) -> Entry | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.gone_at <= self._clock():
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry

    async def put(self, key: str, entry: Entry) -> None:
        stored = await self.get(key)
        if entry.gone_at <= self._clock() or (stored is not None and stored.version > entry.version):
            return
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    async def delete(self, key: str) -> None:
        self._entries.pop(key, None)

    async def clear(self) -> None:
        self._entries.clear()

    async def close(self) -> None:
        """Holds nothing."""
