"""Every polite way of ending a program in the foreground is the same: KeyboardInterrupt."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def as_keyboard_interrupt() -> Iterator[None]:
    """Also SIGTERM and SIGHUP, so that whoever ends us gives us time to drain."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
