"""A circuit breaker: an upstream that fails most of the time is left alone for a while, and its callers told at once.

    CLOSED ──share of failures in the window ≥ threshold──▶ OPEN ──pause──▶ HALF_OPEN
      ▲                                                      ▲                 │
      └─────────── as many trials as allowed succeed ────────┼─────────────────┤
                                                             └── one fails ────┘  (the pause doubles, up to `longest`)

(Nygard, "Release It!", 2007.) The window slides in steps of a second. What was let through before a change of state says
nothing about the state after it.
"""

import enum
from collections import deque
from collections.abc import Callable

from common.errors import Refused

WINDOW = 5  # seconds: half of it, and what was fine before is outvoted
MINIMUM = 20  # requests in the window, below which nothing is concluded
PAUSE = 1.0
LONGEST_PAUSE = 8.0
TRIALS = 3

Ticket = int


class State(enum.IntEnum):
    """The numbers are those of the metric."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """`clock` in seconds, never backwards. Each `admit` is followed by one `record` with its ticket."""

    def __init__(self, name: str, threshold: float, clock: Callable[[], float]) -> None:
        self._name = name
        self._threshold = threshold
        self._clock = clock
        self._window: deque[tuple[int, int, int]] = deque()  # second, requests, failures
        self._state = State.CLOSED
        self._period: Ticket = 0  # counts the changes of state
        self._open_until = 0.0
        self._pause = PAUSE
        self._under_trial = 0
        self._passed = 0

    @property
    def state(self) -> State:
        if self._state is State.OPEN and self._clock() >= self._open_until:
            return State.HALF_OPEN
        return self._state

    def admit(self) -> Ticket:
        """Raises Refused while it is open, and while the trials of the half-open one are in work."""
        if self._state is State.CLOSED:
            return self._period
        if self.state is State.OPEN:
            raise Refused(f"{self._name}: it fails, and is left alone for {self._open_until - self._clock():.1f} s")
        if self._state is State.OPEN:
            self._become(State.HALF_OPEN)
        if self._under_trial + self._passed >= TRIALS:
            raise Refused(f"{self._name}: it failed, and is being tried; try again")
        self._under_trial += 1
        return self._period

    def record(self, ticket: Ticket, ok: bool | None) -> None:
        """How it went; None when nobody knows, because the caller left."""
        if ticket != self._period:
            return
        if self._state is State.HALF_OPEN:
            self._under_trial -= 1
            if ok:
                self._passed += 1
                if self._passed >= TRIALS:
                    self._pause = PAUSE
                    self._become(State.CLOSED)
            elif ok is False:
                self._pause = min(2 * self._pause, LONGEST_PAUSE)
                self._open()
        elif ok is not None and self._failing(ok):
            self._open()

    def _failing(self, ok: bool) -> bool:
        second = int(self._clock())
        window = self._window
        if window and window[-1][0] == second:
            _, requests, failures = window.pop()
        else:
            requests = failures = 0
            while window and window[0][0] <= second - WINDOW:
                window.popleft()
        window.append((second, requests + 1, failures + (not ok)))
        if ok:
            return False
        requests = sum(entry[1] for entry in window)
        return requests >= MINIMUM and sum(entry[2] for entry in window) >= self._threshold * requests

    def _open(self) -> None:
        self._open_until = self._clock() + self._pause
        self._become(State.OPEN)

    def _become(self, state: State) -> None:
        self._state = state
        self._period += 1
        self._under_trial = self._passed = 0
        self._window.clear()
