"""How often and how soon a failed request is tried again: seldom enough that retries never make an overload worse.

Pauses have full jitter, so that callers who failed together do not return together (Brooker, "Exponential Backoff and Jitter",
2015). A budget bounds all retries of an upstream together to a share of its requests: where half of the requests fail, three
attempts each would be an attack.
"""

import random
from collections.abc import Callable

FIRST_PAUSE = 0.1  # seconds at most; twice as long after each further attempt
RESERVE = 20.0  # retries that a client has saved up at the start, and saves at least when it asks little
CEILING = 100.0  # the most it may save: when a busy upstream restarts, all that was in work fails at once
TRICKLE = 1.0  # a second


def pause(attempt: int, dice: random.Random) -> float:
    """Seconds to wait after attempt 1, 2 ..."""
    return dice.uniform(0.0, FIRST_PAUSE * 2.0 ** (attempt - 1))


class Budget:
    """A token bucket: every request puts in `share` of a token, a retry or a hedge takes one. `clock` in seconds.

    Over any time, retries ≤ CEILING + share · requests + TRICKLE · seconds; the last fills it to RESERVE only."""

    def __init__(self, share: float, clock: Callable[[], float]) -> None:
        self._share = share
        self._clock = clock
        self._saved = RESERVE
        self._at = clock()

    def deposit(self) -> None:
        """One request, whatever becomes of it."""
        self._saved = min(CEILING, self._saved + self._share)

    def take(self) -> bool:
        """Whether one more may be made."""
        now = self._clock()
        if self._saved < RESERVE:
            self._saved = min(RESERVE, self._saved + (now - self._at) * TRICKLE)
        self._at = now
        if self._saved < 1.0:
            return False
        self._saved -= 1.0
        return True
