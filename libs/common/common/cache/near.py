"""Memory before Redis, kept honest by Redis: it tells every process what any of them has changed (client-side caching).

A connection of its own listens in RESP3, with CLIENT TRACKING in broadcasting mode for the cache's prefix. Whatever is
announced is forgotten here; so is everything when the connection breaks, and until it is back nothing is kept. A read that was
under way when its key was announced is not kept either. (https://redis.io/docs/latest/develop/reference/client-side-caching/)
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from common.cache.memory import MemoryCache
from common.cache.port import Cache, Entry

AGAIN = 0.5  # seconds
PATIENCE = 1.0


class NearCache:
    """`far` is the cache in Redis under this `prefix`."""

    def __init__(self, url: str, prefix: str, far: Cache, near: MemoryCache) -> None:
        self._pool = ConnectionPool.from_url(url, protocol=3, socket_connect_timeout=PATIENCE, socket_keepalive=True)
        self._prefix = prefix
        self._far = far
        self._near = near
        self._listener: asyncio.Task[None] | None = None
        self._announced = 0
        self.listening = False

    async def get(self, key: str) -> Entry | None:
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen(), name="redis invalidations")
        if not self.listening:
            return await self._far.get(key)
        if (entry := await self._near.get(key)) is not None:
            return entry
        before = self._announced
        entry = await self._far.get(key)
        if entry is not None and self.listening and self._announced == before:
            await self._near.put(key, entry)
        return entry

    async def put(self, key: str, entry: Entry) -> None:
        await self._near.delete(key)
        await self._far.put(key, entry)

    async def delete(self, key: str) -> None:
        await self._near.delete(key)
        await self._far.delete(key)

    async def clear(self) -> None:
        await self._near.clear()

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        await self._far.close()

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear()
            except (RedisError, OSError, TimeoutError):
                pass
            finally:
                await self._forget(None)
            await asyncio.sleep(AGAIN)

    async def _hear(self) -> None:
        connection = self._pool.make_connection()
        try:
            await connection.connect()
            # as redis-py's own PubSub does it: there is no public way to hear pushes on an asyncio connection
            connection._parser.set_invalidation_push_handler(self._heard)
            await connection.send_command("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", self._prefix)
            await connection.read_response()
            self.listening = True
            while True:
                await connection.read_response(push_request=True)  # calls `_heard`
        finally:
            self.listening = False
            await connection.disconnect(nowait=True)

    async def _heard(self, message: Sequence[Any]) -> None:
        await self._forget(message[1])

    async def _forget(self, keys: Sequence[bytes] | None) -> None:
        """None: all of them (FLUSHALL, or nobody knows)."""
        self._announced += 1
        if keys is None:
            await self._near.clear()
        for key in keys or ():
            await self._near.delete(key.decode().removeprefix(self._prefix))
