"""Orders at a constant rate, whatever becomes of them: an open loop (a slow platform does not slow its customers down)."""

import asyncio
import time
from collections.abc import Iterator

from tests.faults.customer import Customers
from tests.faults.recovery import Told
from tests.faults.wishes import Wish


class Load:
    """`told` has an entry for each order that came due, in that order."""

    def __init__(self, customers: Customers, wishes: Iterator[Wish], rate: float) -> None:
        self.told: list[Told] = []
        self._customers = customers
        self._wishes = wishes
        self._rate = rate
        self._lives: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until it is cancelled; those on their way live on."""
        began = time.monotonic()
        for number, wish in enumerate(self._wishes):
            due = began + number / self._rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            told = Told(due, time.monotonic(), waits=wish.wait > 0)
            self.told.append(told)
            life = asyncio.create_task(self._customers.live(wish, told))
            self._lives.add(life)
            life.add_done_callback(self._lives.discard)

    async def settle(self, within: float) -> int:
        """Wait for all that are on their way. Returns how many did not end in time; they are given up."""
        if not self._lives:
            return 0
        ended, late = await asyncio.wait(self._lives, timeout=within)
        for life in late:
            life.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for life in ended:
            life.result()  # what nobody foresaw is raised here
        return len(late)
