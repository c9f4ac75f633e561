"""Reads partitions from given positions, as the broker's read_committed shows them."""

import time
from collections.abc import Mapping, Sequence

from kafka import errors

from common.eventlog.kafka.fetching import Fetcher
from common.eventlog.kafka.wire import Place, Wire
from common.eventlog.port import Stored
from common.eventlog.turns import in_turn


class KafkaReader:
    def __init__(self, wire: Wire, positions: Mapping[Place, int]) -> None:
        self._wire = wire
        self._fetcher = Fetcher(wire)
        self._positions = dict(positions)
        self._turn = 0
        for place, offset in positions.items():
            self._fetcher.aim(place, offset)

    def poll(self, timeout: float, limit: int = 1000) -> Sequence[Stored]:
        return self._wire.run(self._poll(time.monotonic() + timeout, limit))

    def positions(self) -> Mapping[Place, int]:
        return dict(self._positions)

    def close(self) -> None:
        self._wire.close()

    async def _poll(self, until: float, limit: int) -> Sequence[Stored]:
        """Comes back when it has moved on, even if only past a marker: some wait for a position, not for a record."""
        found: list[Stored] = []
        moved = False
        while True:
            behind = [place for place, end in self._fetcher.ends().items() if self._positions[place] < end]
            moved = moved or bool(behind)
            found += self._take(behind, limit - len(found))
            try:
                await self._fetcher.ask()  # now that there is room again: nothing else would end the pause
            except errors.KafkaError:
                if found:
                    return found  # the next poll will see whether it has passed
                raise
            if (moved and (len(found) >= limit or not self._fetcher.more)) or time.monotonic() >= until:
                return found
            await self._wire.pause(until)

    def _take(self, behind: Sequence[Place], limit: int) -> list[Stored]:
        def take(place: Place, room: int) -> Sequence[Stored]:
            records, self._positions[place] = self._fetcher.take(place, room)
            return records

        self._turn += 1
        return in_turn(behind, self._turn, limit, take)
