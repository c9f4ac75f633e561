"""What Orderly asks of a cache. Every store passes `common.testing.cache_contract` unchanged.

A cache may forget anything at any time; what it still has is what was put last, except that an older version never takes the
place of a newer one. So whoever has seen a version from a cache does not see an older one from it (law L9), until it forgets.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from common.clock import Instant


class Entry(NamedTuple):
    """`value` None: it is known that there is none (a negative entry). `loaded`: it is as it was then, or later. Fresh until
    `fresh_until`; from then until `gone_at` only better than nothing. `took`: seconds that loading it took."""

    value: bytes | None
    version: int
    loaded: Instant
    fresh_until: Instant
    gone_at: Instant
    took: float = 0.0


class Loaded(NamedTuple):
    """What the source has. `value` None: nothing."""

    value: bytes | None
    version: int = 0


Load = Callable[[str], Awaitable[Loaded]]


class Cache(Protocol):
    """Belongs to one event loop. Raises Unavailable where the store is away."""

    async def get(self, key: str) -> Entry | None:
        """None when it is not there, or gone."""
        ...

    async def put(self, key: str, entry: Entry) -> None:
        """Does nothing when a newer version is there."""
        ...

    async def delete(self, key: str) -> None: ...

    async def clear(self) -> None:
        """Forget everything that this process could answer from its own memory."""
        ...

    async def close(self) -> None: ...
