"""An adaptive concurrency limit: as many requests at once as are served without queueing behind us.

Latency tells. As long as it is what it usually is, the limit grows; when it rises beyond that by more than `TOLERANCE`,
requests are queueing where we cannot see it, and the limit shrinks in proportion (after the gradient algorithm of Netflix'
concurrency-limits; it is Little's law, L = λW, solved for the L at which W begins to grow). Nobody has to know the capacity of
what stands behind. What is usual is learnt quickly when it falls and slowly when it rises: a long overload is not usual.
"""

import math
from collections.abc import Callable

from common.resilience.gate import Gate

LEAST, FIRST, MOST = 64, 128, 1024
TOLERANCE = 2.0
WINDOW = 0.5  # seconds; shorter ones see noise
ENOUGH = 10  # answers in a window, below which it says nothing
RISE, FALL = 0.001, 0.05  # weight of the newest window in what is usual: half of it in six minutes, in seven seconds
SMOOTHING = 0.2


def next_limit(limit: float, usual: float, latest: float) -> float:
    """The limit after a window with mean latency `latest`, when `usual` is what it was in the long run."""
    gradient = max(0.5, min(1.0, TOLERANCE * usual / latest))
    wanted = limit * gradient + math.sqrt(limit)  # the root is the queue that is allowed: it makes room to grow
    return max(LEAST, min(MOST, limit * (1 - SMOOTHING) + wanted * SMOOTHING))


class Gradient:
    """Moves the limit of a gate. `clock` in seconds, never backwards."""

    def __init__(self, gate: Gate, clock: Callable[[], float]) -> None:
        self._gate = gate
        self._clock = clock
        self._limit = float(gate.limit)
        self._usual = 0.0
        self._until = clock() + WINDOW
        self._sum = 0.0
        self._count = 0
        self._most_inside = 0

    def observe(self, seconds: float) -> None:
        """How long one request took inside the gate."""
        self._sum += seconds
        self._count += 1
        self._most_inside = max(self._most_inside, self._gate.inside)
        now = self._clock()
        if now >= self._until and self._count >= ENOUGH:
            self._turn(max(1e-6, self._sum / self._count))
            self._until, self._sum, self._count, self._most_inside = now + WINDOW, 0.0, 0, 0

    def _turn(self, latest: float) -> None:
        self._usual = self._usual or latest
        self._usual += (RISE if latest > self._usual else FALL) * (latest - self._usual)
        if self._most_inside >= self._limit / 2:  # else the limit limits nothing, and latency says nothing about it
            self._limit = next_limit(self._limit, self._usual, latest)
            self._gate.limit = int(self._limit)
