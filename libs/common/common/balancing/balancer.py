"""Keeps what was seen of each endpoint, and picks one for each request: the strategies' one caller.

Of the endpoints that discovery names it picks among those that are ready, not ejected, and not tried yet for this request;
when there is none, among whatever there is: a bad chance is better than none.
"""

import random
from collections.abc import Callable, Collection, Sequence
from typing import Literal, get_args

from common.balancing import outliers, zones
from common.balancing.candidate import Ask, Candidate, Strategy
from common.discovery.port import Endpoint
from common.errors import Unavailable

State = Literal["usable", "unready", "ejected"]
STATES: tuple[State, ...] = get_args(State)


class Balancer:
    """`clock` in seconds, never backwards. Each `begin` is followed by one `end`."""

    def __init__(
        self, strategy: Strategy, zone: str, ejection: bool, clock: Callable[[], float], dice: random.Random
    ) -> None:
        self._strategy = strategy
        self._zone = zone
        self._ejection = ejection
        self._clock = clock
        self._dice = dice
        self._number = 0
        self.candidates: Sequence[Candidate] = ()

    def update(self, endpoints: Sequence[Endpoint]) -> None:
        """The endpoints as they are now. What was seen of those that stay is kept; new ones start level with the others."""
        known = {candidate.endpoint.address: candidate for candidate in self.candidates}
        level = min((candidate.turns for candidate in self.candidates), default=0.0)
        self.candidates = [known.get(it.address) or Candidate(it, turns=level) for it in endpoints]
        for candidate, endpoint in zip(self.candidates, endpoints, strict=True):
            candidate.endpoint = endpoint

    def pick(self, key: str, tried: Collection[Candidate] = ()) -> Candidate:
        """Raises Unavailable where discovery knows of nobody."""
        candidates = self.candidates
        if not candidates:
            raise Unavailable("no endpoint is known; try again")
        if len(candidates) == 1:
            return candidates[0]
        now = self._clock()
        usable = (
            [it for it in candidates if it.endpoint.ready and it.ejected_until <= now and it not in tried]
            or [it for it in candidates if it.endpoint.ready and it not in tried]
            or [it for it in candidates if it not in tried]
            or candidates
        )
        if self._zone:
            usable = zones.near(candidates, usable, self._zone, self._dice)
        self._number += 1
        return self._strategy(usable, Ask(self._number, now, self._dice, key))

    def begin(self, candidate: Candidate) -> float:
        """A request goes there. Returns the time, for `end`."""
        candidate.in_flight += 1
        candidate.turns += 1.0 / candidate.endpoint.weight
        return self._clock()

    def end(self, candidate: Candidate, begun: float, ok: bool | None) -> None:
        """It is over; None: it was given up before anything could be known, but it took so long at least."""
        now = self._clock()
        candidate.in_flight -= 1
        if ok is not None or now - begun > candidate.latency_at(now):
            candidate.observe(now - begun, now)
        if ok is not None and self._ejection:
            outliers.judge(candidate, ok, self.candidates, now)

    def count(self, state: State) -> int:
        """How many endpoints are in this state."""
        now = self._clock()
        return sum(_state(candidate, now) == state for candidate in self.candidates)


def _state(candidate: Candidate, now: float) -> State:
    if not candidate.endpoint.ready:
        return "unready"
    return "ejected" if candidate.ejected_until > now else "usable"
