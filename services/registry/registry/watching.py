"""Tells those who wait when the endpoints of a service change: by a heartbeat, a farewell, a suspicion or the end of a lease.

It keeps nothing on disk. After a restart it first listens for a while and tells nothing, since an empty list would send
everybody's requests nowhere; those who watch keep their last list meanwhile, and all are registered again within a heartbeat.
"""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence

from common.discovery.by_registry import Listing
from common.discovery.port import Endpoint
from common.problems import Problem
from registry.leases import Leases

TICK = 0.1  # seconds between looks at the clock, for silences

_LEARNING = Problem(503, "registry-learning", "It has just started, and listens who is there.", {"Retry-After": "1"})


class Watching:
    """`clock` in seconds, never backwards. Belongs to one event loop."""

    def __init__(self, leases: Leases, learning: float, clock: Callable[[], float]) -> None:
        self._leases = leases
        self._clock = clock
        self._learnt_at = clock() + learning
        self._life = uuid.uuid4().hex[:8]  # versions of another life are no versions of this one
        self._versions: defaultdict[str, int] = defaultdict(int)
        self._shown: dict[str, Sequence[Endpoint]] = {}
        self._changed: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._ticking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._ticking = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)

    def heartbeat(self, service: str, instance: str, endpoint: Endpoint, every: float, lease: float) -> None:
        self._leases.heartbeat(service, instance, endpoint, every, lease, self._clock())
        self._look(service)

    def leave(self, service: str, instance: str) -> None:
        self._leases.leave(service, instance)
        self._look(service)

    async def listing(self, service: str, after: str, wait: float) -> Listing:
        """As soon as its version is not `after`, or as it is after `wait` seconds. Raises Problem 503 while learning."""
        ends = asyncio.get_running_loop().time() + wait
        while True:
            if self._clock() < self._learnt_at:
                raise _LEARNING
            found = Listing(f"{self._life}-{self._versions[service]}", tuple(self._shown.get(service, ())))
            if found.version != after:
                return found
            try:
                async with asyncio.timeout_at(ends):
                    await self._changed[service].wait()
            except TimeoutError:
                return found

    def _look(self, service: str) -> None:
        found = self._leases.endpoints(service, self._clock())
        if found != self._shown.get(service):
            self._shown[service] = found
            self._versions[service] += 1
            self._changed.pop(service, asyncio.Event()).set()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            for service in self._leases.services():
                self._look(service)
