"""The wait for a platform to come up, shown on one line of a terminal, or told when it takes long."""

import sys
import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.status import Status

TELL_AFTER = 2.0  # seconds, where there is no terminal to draw on
TELL_EVERY = 5.0


class Starting:
    def __init__(self) -> None:
        self._began = time.monotonic()
        self._tell_at = self._began + TELL_AFTER
        self._status: Status | None = None
        if sys.stderr.isatty():
            self._status = Console(stderr=True, highlight=False).status("starting …", spinner_style="dim")

    def show(self, waiting: Mapping[str, str | None]) -> None:
        """What each service still waits for; None: it is ready."""
        now = time.monotonic()
        if self._status is not None:
            marks = (f"[dim]{name} …[/]" if reason else f"{name} [green]✓[/]" for name, reason in waiting.items())
            self._status.update("starting  " + "  ".join(marks))
        elif now >= self._tell_at and any(waiting.values()):
            self._tell_at = now + TELL_EVERY
            late = "; ".join(f"{name}: {reason}" for name, reason in waiting.items() if reason)
            print(f"starting ({now - self._began:.0f} s): {escape(late)}", file=sys.stderr, flush=True)

    def tell(self, line: str) -> None:
        """Of what comes before the start."""
        if self._status is not None:
            self._status.update(escape(line))
        else:
            print(line, file=sys.stderr, flush=True)

    def __enter__(self) -> "Starting":
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()
