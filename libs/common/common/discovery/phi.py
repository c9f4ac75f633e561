"""φ-accrual failure detection: not "dead or alive" but how suspicious a silence is, given how regular the heartbeats were.

φ = -log10 of the probability that a heartbeat comes even later than now, if intervals are normally distributed as they were: at
φ = 1 one suspicion in ten is wrong, at φ = 8 one in 10⁸. It adapts by itself to a slow network or a busy machine (Hayashibara,
Défago, Yared, Katayama, "The φ Accrual Failure Detector", SRDS 2004).
"""

import math
from collections import deque

SAMPLES = 100
LEAST_DEVIATION = 0.25  # of the mean: a few very regular heartbeats must not make a detector nervous
LARGEST = 100.0


def phi(silence: float, mean: float, deviation: float) -> float:
    """How suspicious a silence of so many seconds is."""
    later = 0.5 * math.erfc((silence - mean) / (deviation * math.sqrt(2.0)))
    return LARGEST if later <= 10.0**-LARGEST else max(0.0, -math.log10(later))


class Detector:
    """The heartbeats of one process. `expected`: seconds between them, as long as few have been seen."""

    def __init__(self, expected: float, now: float) -> None:
        self._intervals = deque([expected], maxlen=SAMPLES)
        self._last = now

    def heartbeat(self, now: float) -> None:
        self._intervals.append(now - self._last)
        self._last = now

    def suspicion(self, now: float) -> float:
        mean = sum(self._intervals) / len(self._intervals)
        variance = sum((it - mean) ** 2 for it in self._intervals) / len(self._intervals)
        return phi(now - self._last, mean, max(math.sqrt(variance), LEAST_DEVIATION * mean))
