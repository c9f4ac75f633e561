"""A process is its pid and its start: a pid alone may by now belong to a stranger."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from typing import NamedTuple

import psutil

CLOCK_SLACK = 2.0  # seconds: the start is computed from the wall clock, which may be corrected


class Identity(NamedTuple):
    pid: int
    started: float  # seconds since 1970

    @classmethod
    def of(cls, pid: int) -> "Identity":
        """Raises ProcessLookupError when there is no such process."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:
            raise ProcessLookupError(pid) from None

    def process(self) -> psutil.Process | None:
        """None once it is gone, also when its pid was given to another."""
        with contextlib.suppress(psutil.Error):
            found = psutil.Process(self.pid)
            ours = abs(found.create_time() - self.started) <= CLOCK_SLACK
            return found if ours and found.status() != psutil.STATUS_ZOMBIE else None
        return None

    def alive(self) -> bool:
        return self.process() is not None

    def memory(self) -> int:
        """Resident bytes, 0 once it is gone."""
        with contextlib.suppress(psutil.Error):
            if process := self.process():
                return int(process.memory_info().rss)
        return 0

    def frozen(self) -> bool:
        with contextlib.suppress(psutil.Error):
            if process := self.process():
                return bool(process.status() == psutil.STATUS_STOPPED)
        return False

    def send(self, number: signal.Signals) -> None:
        """Does nothing when it is gone."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def ask_to_stop(self) -> None:
        """SIGTERM, and SIGCONT so that a frozen process can obey."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)


def wait_until_gone(processes: Iterable[Identity], within: float) -> list[Identity]:
    """Those still alive after `within` seconds."""
    deadline = time.monotonic() + within
    left = [process for process in processes if process.alive()]
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = [process for process in left if process.alive()]
    return left


def stop(processes: Iterable[Identity], within: float) -> list[Identity]:
    """Ask, wait, then kill. Returns those that had to be killed; none of the others is left either."""
    asked = [process for process in processes if process.alive()]
    for process in asked:
        process.ask_to_stop()
    stubborn = wait_until_gone(asked, within)
    for process in stubborn:
        process.send(signal.SIGKILL)
    wait_until_gone(stubborn, 5)
    return stubborn
