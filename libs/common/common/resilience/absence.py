"""Whoever does not answer is left alone for a while; then one caller looks whether it is back, and the others do not wait.

For what can be done without: a shared cache, a shared limit. What cannot has a circuit breaker.
"""

from collections.abc import Callable

import structlog

_log = structlog.get_logger("absence")


class Absence:
    """`pause` in seconds; `clock` in seconds, never backwards."""

    def __init__(self, name: str, pause: float, clock: Callable[[], float]) -> None:
        self._name = name
        self._pause = pause
        self._clock = clock
        self._look_at: float | None = None

    def __bool__(self) -> bool:
        return self._look_at is not None

    def ask(self) -> bool:
        """Whether to ask it now: it is there, or it is time to look, and this caller is the one who does."""
        if self._look_at is None:
            return True
        if self._clock() < self._look_at:
            return False
        self._look_at = self._clock() + self._pause
        return True

    def begin(self) -> None:
        """It did not answer."""
        if self._look_at is None:
            _log.warning("away", name=self._name)
        self._look_at = self._clock() + self._pause

    def end(self) -> None:
        """It answered."""
        if self._look_at is not None:
            _log.info("back", name=self._name)
            self._look_at = None
