"""Waits for something to become true, and shows what was seen last when it does not."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(observe: Callable[[], T], holds: Callable[[T], object] = bool, *, within: float = 10.0) -> T:
    """The first observation that `holds`. Raises AssertionError with the last one after `within` seconds."""
    deadline = time.monotonic() + within
    pause = 0.001
    while True:
        seen = observe()
        if holds(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {within} s; seen last: {seen!r}")
        time.sleep(pause)
        pause = min(2 * pause, 0.05)
