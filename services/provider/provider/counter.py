"""Serves merchants at the pace, and with the mishaps, that the card asks for."""

import asyncio
from collections.abc import Sequence
from functools import partial

from common.clock import Clock
from provider import cards, ledger
from provider.domain import Instruction
from provider.journal import Journal
from provider.ledger import Entry, Outcome
from provider.settings import Settings


class Counter:
    """Used from one event loop."""

    def __init__(self, journal: Journal, settings: Settings, clock: Clock) -> None:
        self._journal = journal
        self._pace = {
            "at once": 0.0,
            "hesitant": settings.provider_hesitant_ms / 1000,
            "slow": settings.provider_slow_ms / 1000,
        }
        self._clock = clock
        self._arriving: dict[str, str] = {}  # reference -> token of authorizations that are not in the ledger yet

    async def perform(self, instruction: Instruction) -> Outcome:
        """Raises `KeyReused`, `Outage` and `Unavailable`."""
        if instruction.operation == "authorize":
            token = self._arriving[instruction.reference] = instruction.token
            pause = self._pace[cards.of(token).authorizes]
        else:
            token = self._arriving.get(instruction.reference, "")
            pause = 0.0
        try:
            if pause:
                await asyncio.sleep(pause)  # a void that comes meanwhile wins
            return await self._journal.run(
                partial(ledger.perform, instruction=instruction, token=token, at=self._clock())
            )
        finally:
            if instruction.operation == "authorize":
                self._arriving.pop(instruction.reference, None)

    async def find(self, key: str) -> Entry | None:
        return await self._journal.run(partial(ledger.find, key=key))

    async def page(self, after: int, limit: int) -> Sequence[Entry]:
        return await self._journal.run(partial(ledger.page, after=after, limit=limit))
