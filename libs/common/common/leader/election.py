"""Who believes to be the leader, and until when: never longer than the lease says, counted from before it was asked for."""

import time
from collections.abc import Callable

import structlog

from common.errors import Unavailable
from common.leader.port import Lease

MARGIN = 0.2  # the share of the lease by which a leader stops before others may begin: clocks do not run at one speed

_log = structlog.get_logger("leader")


class Election:
    """One candidate. Call `step` at least three times in the lease's `seconds`, and `token` before each thing that only the
    leader may do. `clock` in seconds, never backwards."""

    def __init__(self, lease: Lease, holder: str, seconds: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._lease = lease
        self._holder = holder
        self._seconds = seconds
        self._clock = clock
        self._token: int | None = None
        self._until = 0.0

    @property
    def token(self) -> int | None:
        """The fencing token of the leader; None for everybody else."""
        return self._token if self._clock() < self._until else None

    async def step(self) -> int | None:
        """Try to become or to stay the leader. While the lease cannot be reached, a leader is one until its time is over."""
        began, before = self._clock(), self.token
        try:
            self._token = await self._lease.take(self._holder, self._seconds)
            self._until = began + self._seconds * (1 - MARGIN)
        except Unavailable as error:
            _log.warning("lease cannot be reached", holder=self._holder, error=str(error))
        if self.token != before:
            _log.info("leader" if self.token else "not the leader", holder=self._holder, token=self.token)
        return self.token

    async def resign(self) -> None:
        """Let another one lead at once."""
        self._until = 0.0
        await self._lease.release(self._holder)
