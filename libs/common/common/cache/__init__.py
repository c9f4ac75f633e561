"""Caches: one port, two kinds of stores, and the strategies of reading and writing through them, one small class each.

port        what a cache is                     reading     cache-aside, read-through, refresh-ahead
memory      LRU in this process                 writing     write-through, write-around, write-behind
redis       shared by many processes            loader      one load at a time, and none that undoes a newer one
near        memory before Redis, kept honest    lifetime    how long, with jitter; when to be early
ring        several Redis, by consistent hash   fallback    what happens while Redis is away
"""

from common.cache.port import Cache, Entry, Load, Loaded

__all__ = ["Cache", "Entry", "Load", "Loaded"]
