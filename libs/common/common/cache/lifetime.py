"""How long an entry lives: with jitter, so that what was loaded together is not missed together, and with an early end now
and then, so that one caller loads what all would miss a moment later."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from common.cache.port import Entry, Loaded
from common.clock import SECOND, Instant, Millis


@dataclass(frozen=True, slots=True)
class Lifetime:
    """`fresh`: as long it is as good as new. `negative`: the same for "there is none". `grace`: how much longer it may stand
    in when the source is away (RFC 5861, stale-if-error). `jitter`: the share by which all of it varies."""

    fresh: Millis = 1 * SECOND
    negative: Millis = 1 * SECOND
    grace: Millis = 30 * SECOND
    jitter: float = 0.1
    beta: float = 1.0  # of XFetch; 0: never early

    @property
    def longest_fresh(self) -> float:
        """Seconds."""
        return max(self.fresh, self.negative) * (1 + self.jitter) / 1000

    def entry(
        self, found: Loaded, loaded: Instant, took: float = 0.0, dice: Callable[[], float] = random.random
    ) -> Entry:
        lasts = self.negative if found.value is None else self.fresh
        fresh_until = loaded + int(lasts * (1 + self.jitter * (2 * dice() - 1)))
        return Entry(found.value, found.version, loaded, fresh_until, fresh_until + self.grace, took)

    def good(self, entry: Entry, now: Instant, dice: Callable[[], float] = random.random) -> bool:
        """Whether it may be used as it is: fresh, and not chosen to be loaded early. The sooner it ends and the longer
        loading took, the likelier that is (XFetch: Vattani et al., "Optimal Probabilistic Cache Stampede Prevention",
        VLDB 2015)."""
        early = -entry.took * 1000 * self.beta * math.log(1.0 - dice())
        return now + early < entry.fresh_until
