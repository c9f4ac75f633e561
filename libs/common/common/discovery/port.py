"""What Orderly asks of service discovery. Every adapter passes `common.testing.discovery_contract` unchanged.

A list of endpoints is news, not truth: it may be old. So a discovery that cannot be reached keeps the last list it had, and
what an endpoint really does decides (see common.balancing.outliers).
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One instance: `address` is a base URL. `ready` False: known, and asked only when there is no other."""

    address: str
    zone: str = ""
    weight: float = 1.0
    ready: bool = True


class Discovery(Protocol):
    """The endpoints of one service."""

    def watch(self) -> AsyncIterator[Sequence[Endpoint]]:
        """All endpoints, sorted by address, as soon as they are known; and again after each change. Never raises because
        it cannot find out: it tries again, with pauses that have jitter, and the last list stands meanwhile. Ends when there
        is nothing to be expected any more, or by being closed."""
        ...
