"""An endpoint, and what this process has seen of it: all that a balancing strategy may know."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from common.discovery.port import Endpoint

DECAY = 10.0  # seconds after which an old latency counts for a third


@dataclass(slots=True, eq=False)
class Candidate:
    """`turns`: requests it was given, each over its weight. `latency`: seconds, see `observe`. `health`: a moving share of
    successes. `failures`: the last ones, in a row. Times are seconds on one monotonic clock."""

    endpoint: Endpoint
    in_flight: int = 0
    turns: float = 0.0
    latency: float = 0.0
    observed_at: float = 0.0
    health: float = 1.0
    answers: int = 0
    failures: int = 0
    ejections: int = 0
    ejected_until: float = -math.inf

    @property
    def load(self) -> float:
        """In flight, for its weight."""
        return self.in_flight / self.endpoint.weight

    def latency_at(self, now: float) -> float:
        """It fades, so that an endpoint which was slow once is asked again."""
        return self.latency * math.exp((self.observed_at - now) / DECAY)

    def observe(self, seconds: float, now: float) -> None:
        """Peak EWMA: up at once, down slowly (after Finagle's; the decay is by time, not by number of requests)."""
        faded = self.latency_at(now)
        fade = math.exp((self.observed_at - now) / DECAY)
        self.latency = seconds if seconds > faded else self.latency * fade + seconds * (1.0 - fade)
        self.observed_at = now


@dataclass(frozen=True, slots=True)
class Ask:
    """The request to be placed. `number` counts the requests of this client; `key` is what it is about."""

    number: int
    now: float
    dice: random.Random
    key: str = ""


Strategy = Callable[[Sequence[Candidate], Ask], Candidate]  # never called without a candidate
