"""The shelf in Redis, for gateways that share one."""

from collections.abc import Mapping

from common.clock import Instant
from common.readmodel.redis.lane import Lane

KEY = "orderly:spent"


class RedisShelf:
    """One sorted set, by the time at which an id expires. Belongs to one event loop."""

    def __init__(self, url: str) -> None:
        self._lane = Lane(url)

    async def add(self, id: str, expires: Instant) -> bool:
        (added,) = (await self._lane.ask(("ZADD", KEY, "NX", expires, id))).each
        return bool(added)

    async def all(self, now: Instant) -> Mapping[str, Instant]:
        forget, read = ("ZREMRANGEBYSCORE", KEY, "-inf", now), ("ZRANGE", KEY, 0, -1, "WITHSCORES")
        _, flat = (await self._lane.ask(forget, read)).each
        return {id.decode(): int(score) for id, score in zip(flat[::2], flat[1::2], strict=True)}

    async def close(self) -> None:
        self._lane.close()
