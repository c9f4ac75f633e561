"""Hears what other processes write: one subscription of a process rings its bell for all who wait.

While there is none (Redis is away, or it was just made), rings are lost, and who waits looks again by itself.
"""

import asyncio

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from common.readmodel.bell import Bell
from common.readmodel.redis.server import RESP

_AGAIN = 0.2  # seconds
_SILENCE = 10.0  # seconds after which the other side is asked for a sign of life


class Ear:
    def __init__(self, url: str, channel: str, bell: Bell) -> None:
        self._url = url
        self._channel = channel
        self._bell = bell
        self._listener: asyncio.Task[None] | None = None

    def listen(self) -> None:
        """From now on; does nothing when it listens already."""
        if self._listener is None or self._listener.done():
            self._listener = asyncio.get_running_loop().create_task(self._listen(), name="redis ear")

    def close(self) -> None:
        if self._listener is not None and not self._listener.get_loop().is_closed():
            self._listener.cancel()

    async def _listen(self) -> None:
        """Each time with a new client: one keeps the CA that it was made with."""
        while True:
            client = redis.asyncio.Redis.from_url(
                self._url, protocol=RESP, socket_connect_timeout=1.0, socket_keepalive=True, retry=Retry(NoBackoff(), 0)
            )
            async with client:
                try:
                    await self._hear(client)
                except RedisError:
                    await asyncio.sleep(_AGAIN)

    async def _hear(self, client: redis.asyncio.Redis) -> None:
        async with client.pubsub() as subscription:
            await subscription.subscribe(self._channel)
            asked = False
            while True:
                message = await subscription.get_message(timeout=_SILENCE)
                if message is None:
                    if asked:
                        return
                    await subscription.ping()
                elif message["type"] == "message":
                    self._bell.ring(message["data"].decode().split("\0"))
                asked = message is None
