"""Ids that count no more: of authorization codes that were used, and of tokens that were revoked.

All gateways share one shelf of them, which is where the first of two uses of a code is told from the second. Besides, each
gateway knows what is on it, from at most `LOOK_EVERY` seconds ago, so that no request has to ask. While the shelf cannot be
reached, what is known goes on; what it has lost meanwhile is put there again. An id is forgotten when that of which it is the
id has expired: there are never more of them than callers can make in that time.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import structlog

from common.clock import Clock, Instant
from common.errors import Unavailable

LOOK_EVERY = 5.0  # seconds

_log = structlog.get_logger("spent")


class Shelf(Protocol):
    """Every method raises Unavailable when it cannot be reached."""

    async def add(self, id: str, expires: Instant) -> bool:
        """Whether it is the first of all to add it. It is kept until then, at least."""
        ...

    async def all(self, now: Instant) -> Mapping[str, Instant]:
        """What is there and has not expired by now, which is when the rest may go."""
        ...

    async def close(self) -> None: ...


class Spent:
    """Belongs to one event loop."""

    def __init__(self, shelf: Shelf, clock: Clock) -> None:
        self._shelf = shelf
        self._clock = clock
        self._known: dict[str, Instant] = {}
        self._looking: asyncio.Task[None] | None = None

    def __contains__(self, id: object) -> bool:
        return id in self._known

    async def add(self, id: str, expires: Instant) -> bool:
        """Whether it counted until now. Raises Unavailable: then it counts no more here, and whether elsewhere is not known."""
        self._known[id] = expires
        return await self._shelf.add(id, expires)

    async def start(self) -> None:
        """Know what was added before, if that can be, and look from now on."""
        await self._try_to_look()
        self._looking = asyncio.create_task(self._look_again(), name="spent")

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._shelf.close()

    async def look(self) -> None:
        """Know what the others have added. Raises Unavailable."""
        now = self._clock()
        found = await self._shelf.all(now)
        self._known = {id: expires for id, expires in self._known.items() if expires > now}
        for id in self._known.keys() - found.keys():
            await self._shelf.add(id, self._known[id])
        self._known |= found

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self._try_to_look()

    async def _try_to_look(self) -> None:
        try:
            await self.look()
        except Unavailable as error:
            _log.warning("what others revoked is not known", error=str(error))
