"""Looks at what nobody counts: how late the event loop runs, how long a worker is waited for, and what a log has to be asked.

Two short looks a second apart, and a question to the log every few seconds; none of it delays anything. What cannot be asked
keeps its last value: that the log is away shows elsewhere.
"""

import asyncio
import contextlib
import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version

from common.errors import OrderlyError
from common.telemetry import metrics

LOOK_EVERY = 1.0  # seconds
ASK_EVERY = 5

Question = Callable[[], None]  # may wait for a log: asked in a thread; sets a metric, or raises an OrderlyError


class Vitals:
    """Belongs to one event loop."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._questions = questions
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        metrics.BUILD.info({"version": version("orderly-common"), "python": platform.python_version()})
        self._looking = asyncio.create_task(self._look(), name="vitals")

    async def stop(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        looks = 0
        while True:
            asked = time.perf_counter()
            await asyncio.to_thread(_nothing)
            metrics.POOL_LAG.observe(time.perf_counter() - asked)
            if looks % ASK_EVERY == 0:
                await asyncio.to_thread(self._ask)
            looks += 1
            due = time.perf_counter() + LOOK_EVERY
            await asyncio.sleep(LOOK_EVERY)
            metrics.EVENT_LOOP_LAG.observe(max(0.0, time.perf_counter() - due))

    def _ask(self) -> None:
        for question in self._questions:
            with contextlib.suppress(OrderlyError):
                question()


def _nothing() -> None: ...
