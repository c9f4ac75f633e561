"""Rate limits: a token bucket for each caller, so that none takes the service from the others.

A bucket holds `burst` requests and gains `rate` a second. The buckets are in this process; shared_limit.py has those that all
gateways share. There are at most so many of them; the one that was not used for longest is forgotten, which fills it up again.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from common.problems import Problem

MOST_BUCKETS = 10_000


class Limit(Protocol):
    async def admit(self, caller: str) -> None:
        """Let one request through, or raise Problem 429 that says when to come back."""
        ...


class RateLimit:
    """`clock` in seconds, from any origin, never backwards."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float]) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> None:
        """Let one request through, or raise Problem 429 that says when to come back."""
        self.check(caller)
        left, at = self._level(caller)
        self._buckets[caller] = (left - 1, at)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)

    def check(self, caller: str) -> None:
        """Raise Problem 429 when the bucket is empty; take nothing."""
        left, _ = self._level(caller)
        if left < 1:
            raise too_many(left, self.rate)

    async def admit(self, caller: str) -> None:
        self.take(caller)

    def _level(self, caller: str) -> tuple[float, float]:
        now = self._clock()
        left, at = self._buckets.get(caller, (float(self.burst), now))
        return min(self.burst, left + (now - at) * self.rate), now


def too_many(left: float, rate: float) -> Problem:
    """Of a bucket with `left` requests in it, fewer than one."""
    seconds = max(1, math.ceil((1 - left) / rate))
    return Problem(429, "too-many-requests", "Slow down; see Retry-After.", {"Retry-After": str(seconds)})
