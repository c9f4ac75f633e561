"""Faults of the process itself: a thread that burns CPU, and memory that grows. Bounded, and given back when cleared."""

import threading
import time

from common.faults.catalog import CPU, MEMORY
from common.faults.switches import Switches

SLICE = 0.1  # seconds
GROWTH = 16_000_000  # bytes a second

_PIECE = int(GROWTH * SLICE)


class Burden:
    """`step` takes one slice of time; a loop of the runtime calls it again and again."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._held: list[bytearray] = []
        self._woken = threading.Event()

    def step(self, timeout: float) -> None:
        began = time.monotonic()
        self._grow(self._switches.value(MEMORY))
        share = self._switches.amount(CPU)
        while time.monotonic() - began < share * SLICE:
            pass
        busy = share or self._switches.value(MEMORY)
        self._woken.wait(max(0.001, began + (SLICE if busy else timeout) - time.monotonic()))

    def wake(self) -> None:
        self._woken.set()

    @property
    def held(self) -> int:
        """Bytes."""
        return len(self._held) * _PIECE

    def _grow(self, most: float) -> None:
        if most == 0:
            self._held.clear()
        elif self.held + _PIECE <= most:
            self._switches.amount(MEMORY)
            self._held.append(bytearray(_PIECE))
