"""Bounds what is inside at once: the bulkhead of an upstream, and the edge of the gateway.

Who finds it full waits in line, first come first served. A burst is served late; an overload is refused early: once the line
has been standing for `patience` seconds nobody else joins it until it has been served (CoDel's idea: Nichols & Jacobson,
"Controlling Queue Delay", 2012). Belongs to one event loop.
"""

import asyncio
import math
from collections import deque

from common.errors import Refused


class Gate:
    """`limit` may be changed at any time; who is inside stays."""

    def __init__(self, name: str, limit: int, line: int, patience: float = math.inf) -> None:
        self.name = name
        self.limit = limit
        self.inside = 0
        self._line = line
        self._patience = patience
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._standing_since = 0.0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def enter(self) -> None:
        """Raises Refused when there is no place, neither inside nor in line. Each return wants one `leave`."""
        if self.inside < self.limit and not self._waiting:
            self.inside += 1
            return
        await self._queue()

    def leave(self) -> None:
        self.inside -= 1
        self._admit()

    async def _queue(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if not self._waiting:
            self._standing_since = now
        if len(self._waiting) >= self._line or now - self._standing_since > self._patience:
            raise Refused(f"{self.name}: {self.inside} requests are in work and {self.waiting} wait; try again")
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()  # it was let in at the very moment it gave up
            else:
                self._waiting.remove(turn)
            raise

    def _admit(self) -> None:
        while self._waiting and self.inside < self.limit:
            turn = self._waiting.popleft()
            if not turn.cancelled():
                self.inside += 1
                turn.set_result(None)
