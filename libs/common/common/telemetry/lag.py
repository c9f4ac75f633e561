"""How far behind the log somebody is, in seconds, without asking the log: an upper bound, which grows while nothing is done."""

from collections.abc import Sequence

from common.clock import Clock, system_clock
from common.eventlog.port import Stored


class Lag:
    """Told by the one thread that works, read from any. All that the log took before `_done_to` is done."""

    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock
        self._done_to = clock()

    def idle(self) -> None:
        """There was nothing to do."""
        self._done_to = self._clock()

    def done(self, records: Sequence[Stored]) -> None:
        """What the log took before the oldest of them was done already."""
        if records:
            self._done_to = min(record.at for record in records)

    def seconds(self) -> float:
        return max(0, self._clock() - self._done_to) / 1000
