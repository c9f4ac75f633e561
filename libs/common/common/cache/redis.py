"""A cache in Redis, shared by the processes that know its prefix. The version is compared where it is stored, by a script."""

import msgspec

from common.cache.port import Entry
from common.clock import Clock, system_clock
from common.readmodel.redis.lane import Lane

_PUT = """
local stored = redis.call('GET', KEYS[1])
if stored and tonumber(string.match(stored, '^%d+')) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode


class RedisCache:
    """A value is `<version> <msgpack of the entry>`; Redis itself lets it go in the end. Raises Unavailable."""

    def __init__(self, url: str, prefix: str, clock: Clock = system_clock) -> None:
        self._lane = Lane(url)
        self._prefix = prefix
        self._clock = clock

    async def get(self, key: str) -> Entry | None:
        (stored,) = (await self._lane.ask(("GET", self._prefix + key))).each
        if stored is None:
            return None
        entry = _decode(stored.partition(b" ")[2])
        return entry if entry.gone_at > self._clock() else None

    async def put(self, key: str, entry: Entry) -> None:
        left = entry.gone_at - self._clock()
        if left > 0:
            value = b"%d %b" % (entry.version, _encode(entry))
            await self._lane.ask(("EVAL", _PUT, 1, self._prefix + key, entry.version, value, left))

    async def delete(self, key: str) -> None:
        await self._lane.ask(("DEL", self._prefix + key))

    async def clear(self) -> None:
        """Others share it, and everything in it ends by itself."""

    async def close(self) -> None:
        self._lane.close()
