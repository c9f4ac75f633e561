"""So many orders of one customer may be open at once: what has no verdict yet holds stock that others want (A6).

An order is open for as long as the saga has patience: what is not paid by then is released. Counted by this process, since its
start, so that several let several times as many through; a caller's rate bounds them all.
"""

from collections.abc import Awaitable, Callable, Collection

from common.clock import MINUTE, Clock, Instant
from common.problems import Problem
from common.security.recent import Recent

LONGEST = MINUTE  # an order of which nothing is heard for so long is not waited for
MOST_CUSTOMERS = 10_000  # remembered

Finished = Callable[[Collection[str]], Awaitable[Collection[str]]]  # those of the orders that have a verdict


class Quota:
    """`most` open orders of a customer; 0: no limit."""

    def __init__(self, most: int, finished: Finished, clock: Clock) -> None:
        self._most = most
        self._finished = finished
        self._clock = clock
        self._open: Recent[str, dict[str, Instant]] = Recent(MOST_CUSTOMERS)

    async def take(self, customer: str, order_id: str) -> None:
        """Raises Problem 429 where too many are open. Only then the read model is asked."""
        if not self._most:
            return
        opened = self._open.get(customer)
        if opened is None:
            self._open.put(customer, opened := {})
        if len(opened) >= self._most:
            too_old = {id for id, since in opened.items() if since <= self._clock() - LONGEST}
            for id in {*too_old, *await self._finished(tuple(opened))}:
                opened.pop(id, None)
        if len(opened) >= self._most:
            detail = f"{self._most} of your orders are open; wait until one is confirmed or cancelled."
            raise Problem(429, "too-many-open-orders", detail, {"Retry-After": "2"})
        opened[order_id] = self._clock()
