"""One process of a service: the real processor and, for payment, a worker's queue of calls to the provider.

What it has in memory dies with it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from common.answers import Answers
from common.clock import Clock, Millis
from common.decider import Effect
from common.eventlog import EventLog
from common.topology import commands
from tests.simulation.link import Fates, FlakyLog, Link
from tests.simulation.parts import Parts

FOREVER = 1e9  # seconds


@dataclass(frozen=True, slots=True)
class Job:
    """An effect that waits for the worker. `restored`: it may have been tried before a restart."""

    order_id: str
    effect: Effect
    restored: bool


class Process:
    def __init__(
        self,
        service: str,
        name: str,
        parts: Parts,
        log: EventLog,
        clock: Clock,
        fates: Callable[["Process"], Fates],
        checkpoint_every: Millis,
    ) -> None:
        self.service = service
        self.name = name
        self.jobs: list[Job] = []
        self.answers = Answers()
        self.found_nothing_at = -1  # how many changes there had been when it last looked in vain
        self.idle_since = self.idle_until = 0
        own_fates = fates(self)
        self._link = Link(
            lambda: parts.consumer(log.consumer(commands(service), group=f"{service}-processor", member=name), log),
            own_fates,
        )
        self._processor = parts.processor(
            parts.behaviours[service],
            FlakyLog(log, own_fates),
            self._link,
            clock,
            offer=self._offer,
            answers=self.answers,
            checkpoint_every=checkpoint_every,
            transaction=2,
        )

    def step(self) -> int:
        """How many inputs were handled. Raises Crash, Fenced and Unavailable."""
        return self._processor.step(FOREVER)

    def leave(self) -> None:
        """Raises Crash."""
        self._processor.close()

    @property
    def patience(self) -> float:
        """How many seconds it would have waited for input when it last asked: its next timer is due then."""
        return 0 if self.rebalanced else self._link.patience

    @property
    def rebalanced(self) -> bool:
        """It has just lost or gained partitions: it does not know their timers yet, nor do others what is left to them."""
        return self._link.rebalanced

    def _offer(self, key: str, effect: Effect, restored: bool) -> None:
        job = Job(key, effect, restored)
        if job.effect not in [other.effect for other in self.jobs]:
            self.jobs.append(job)
