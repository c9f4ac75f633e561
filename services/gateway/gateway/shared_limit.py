"""The same buckets for all gateways, in Redis: however many there are, a caller has one rate.

One script takes a request out of a bucket, by the clock of Redis. While Redis is away each gateway goes on with buckets of its
own: nobody is refused because of that, and n gateways let through up to n times as much.
"""

import time

from common.errors import Unavailable
from common.readmodel.redis.lane import Lane
from common.resilience.absence import Absence
from gateway.limits import RateLimit, too_many

PAUSE = 1.0  # seconds that a Redis which does not answer is left alone
PREFIX = "orderly:limit:"

_TAKE = """
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local bucket = redis.call('HMGET', KEYS[1], 'left', 'at')
local left = math.min(burst, (tonumber(bucket[1]) or burst) + math.max(0, now - (tonumber(bucket[2]) or now)) * rate / 1000)
local taken = left >= 1 and 1 or 0
redis.call('HSET', KEYS[1], 'left', string.format('%.6f', left - taken), 'at', string.format('%.3f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000))
return {taken, string.format('%.6f', left)}
"""


class SharedLimit:
    """`local` says how much, and counts while Redis is away. Belongs to one event loop."""

    def __init__(self, url: str, local: RateLimit) -> None:
        self._lane = Lane(url)
        self._local = local
        self._absence = Absence("shared limits", PAUSE, time.monotonic)

    async def admit(self, caller: str) -> None:
        """Let one request through, or raise Problem 429 that says when to come back."""
        if self._absence.ask():
            take = ("EVAL", _TAKE, 1, PREFIX + caller, self._local.rate, self._local.burst)
            try:
                ((taken, left),) = (await self._lane.ask(take)).each
            except Unavailable:
                self._absence.begin()
            else:
                self._absence.end()
                if not taken:
                    raise too_many(float(left), self._local.rate)
                return
        await self._local.admit(caller)

    async def close(self) -> None:
        self._lane.close()
