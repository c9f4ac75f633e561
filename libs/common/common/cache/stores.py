"""Puts a cache together from what there is: memory alone, or memory before one Redis, or before several as a ring."""

import time
from collections.abc import Sequence

from common.cache.fallback import FallbackCache
from common.cache.lifetime import Lifetime
from common.cache.memory import MemoryCache
from common.cache.port import Cache
from common.resilience.absence import Absence

SLACK = 1.0  # seconds that an absence lasts longer than an entry stays fresh


def open_cache(urls: Sequence[str], prefix: str, lifetime: Lifetime) -> Cache:
    """Imports Redis when there is one."""
    if not urls:
        return MemoryCache()
    from common.cache.near import NearCache
    from common.cache.redis import RedisCache
    from common.cache.ring import RingCache

    pause = lifetime.longest_fresh + SLACK
    nodes: dict[str, Cache] = {
        f"redis {number}": NearCache(url, prefix, RedisCache(url, prefix), MemoryCache())
        for number, url in enumerate(urls, 1)
    }
    absences = {name: Absence(name, pause, time.monotonic) for name in nodes}
    (first, *more) = nodes
    shared = RingCache(nodes, absences) if more else nodes[first]
    return FallbackCache(shared, MemoryCache(), Absence("shared cache", pause, time.monotonic))
