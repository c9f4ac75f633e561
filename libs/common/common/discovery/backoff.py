"""Pauses of a watcher that cannot reach what it watches: longer each time, with jitter, short again after a success."""

import asyncio
import random

FIRST = 0.1  # seconds
LONGEST = 5.0


class Backoff:
    def __init__(self) -> None:
        self._failures = 0

    def succeeded(self) -> None:
        self._failures = 0

    async def pause(self) -> None:
        self._failures += 1
        await asyncio.sleep(random.uniform(0.5, 1.0) * min(LONGEST, FIRST * 2.0 ** min(self._failures, 10)))
