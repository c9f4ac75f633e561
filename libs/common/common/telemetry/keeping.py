"""When what a process tells of itself leaves it: spans and log lines, many by one system call.

Each call hands over Python's lock to another thread, which costs a busy process ten times what the writing does. So what
belongs to one transaction or batch is written when that is over, what was told on an event loop within 0.1 s, and anything
else at once. What was written survives kill -9, in the page cache; what was not is lost then.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

WITHIN = 0.1  # seconds
MANY = 256  # lines that wait

_kept: "list[Lines]" = []
_due_on: asyncio.AbstractEventLoop | None = None


class Lines:
    """Lines on their way to one file. Of any thread; `write` is never called by two at once, and must not raise."""

    def __init__(self, write: Callable[[Sequence[bytes]], None]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        _kept.append(self)

    def take(self, line: bytes) -> None:
        self._waiting.append(line)
        if not _soon() or len(self._waiting) >= MANY:
            self.keep()

    def keep(self) -> None:
        """What was taken is in this machine's hands from now on, whatever becomes of us."""
        if self._waiting:
            with self._lock:
                lines = [self._waiting.popleft() for _ in range(len(self._waiting))]  # others go on appending
                if lines:
                    self._write(lines)

    def close(self) -> None:
        self.keep()
        _kept.remove(self)


class _Thread(threading.local):
    gathers = False


_thread = _Thread()


@contextmanager
def together() -> Iterator[None]:
    """A block of one thread, without an await: what it tells is kept when it ends."""
    _thread.gathers = True
    try:
        yield
    finally:
        _thread.gathers = False
        keep()


def keep() -> None:
    for lines in _kept:
        lines.keep()


def _soon() -> bool:
    """Whether what waits now will be kept without anybody asking."""
    global _due_on
    if _thread.gathers:
        return True
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return False
    if loop is not _due_on:  # one that was closed meanwhile keeps nothing
        _due_on = loop
        loop.call_later(WITHIN, _keep_now)
    return True


def _keep_now() -> None:
    global _due_on
    _due_on = None
    keep()
