"""Time as an argument: the only place that reads the machine's clock.

An instant is an `int` of milliseconds since 1970-01-01T00:00Z, a span an `int` of milliseconds: they are compared, added
and stored a million times, and JSON has them too. Deciders never see a clock, only the instant at which they are asked.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Instant = int
Millis = int
Clock = Callable[[], Instant]

SECOND: Millis = 1_000
MINUTE: Millis = 60 * SECOND
HOUR: Millis = 60 * MINUTE


def system_clock() -> Instant:
    """The wall clock. It may jump. Ownership and order never rest on it; deadlines do, on clocks of different processes that
    differ by less than a minute."""
    return time.time_ns() // 1_000_000


def rfc3339(at: Instant) -> str:
    """`2026-01-31T12:00:00.123Z`, the form of every time in the public API (RFC 3339, UTC, milliseconds)."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"
