"""Reads partitions of the memory log from given positions."""

import time
from collections.abc import Mapping, Sequence

from common.eventlog.memory.store import Store
from common.eventlog.port import Stored
from common.eventlog.turns import in_turn


class MemoryReader:
    def __init__(self, store: Store, positions: Mapping[tuple[str, int], int]) -> None:
        self._store = store
        self._positions = dict(positions)
        self._partitions = {place: store.partition(*place) for place in positions}
        self._turn = 0

    def poll(self, timeout: float, limit: int = 1000) -> Sequence[Stored]:
        deadline = time.monotonic() + timeout if timeout > 0 else 0.0
        with self._store.changed:
            while True:
                found = self._read(limit)
                if found or not self._store.wait(deadline):
                    return found

    def positions(self) -> Mapping[tuple[str, int], int]:
        return dict(self._positions)

    def close(self) -> None:
        """Holds nothing."""

    def _read(self, limit: int) -> list[Stored]:
        def read(place: tuple[str, int], room: int) -> list[Stored]:
            records, self._positions[place] = self._partitions[place].read(self._positions[place], room)
            return records

        self._turn += 1
        behind = [place for place, partition in self._partitions.items() if self._positions[place] < partition.end]
        return in_turn(behind, self._turn, limit, read)
