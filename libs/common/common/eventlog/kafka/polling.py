"""Asks the kernel about sockets no more often than it must: the client library asks several times for every request.

It begins and ends a registration for each wait, and looks for events whenever a task is ready. Each of these is a system call,
and each that may block gives the interpreter's lock away, which costs a service with several threads far more than the call.
"""

import select
import selectors
from collections.abc import Mapping
from typing import Any

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
HASTY = 8  # times in a row that who does not want to wait is told of nothing, before sockets get their turn


class StandingSelector(selectors.BaseSelector):
    """What is waited for again and again stays registered; what can be written to at once is not registered at all.

    An event that nobody waits for any more ends its registration. Not thread-safe.
    """

    def __init__(self) -> None:
        self._kernel = selectors.DefaultSelector()
        self._wanted: dict[Any, selectors.SelectorKey] = {}
        self._writable: dict[Any, selectors.SelectorKey] = {}
        self._hasty = 0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(fileobj, fileobj.fileno(), events, data)
        at_once = events & WRITE and _writable(key.fd)
        self._stand(key, READ if at_once else events)
        self._wanted[fileobj] = key
        if at_once:
            self._writable[fileobj] = key
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._writable.pop(fileobj, None)
        return self.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        self._writable.pop(fileobj, None)
        return self._wanted.pop(fileobj)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._wanted[fileobj]

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._wanted

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self._writable:
            found = [(key, WRITE) for key in self._writable.values()]
            self._writable.clear()
            return found
        if timeout == 0 and self._hasty < HASTY:
            self._hasty += 1
            return []
        self._hasty = 0
        return [pair for pair in map(self._expected, self._kernel.select(timeout)) if pair is not None]

    def close(self) -> None:
        self._kernel.close()
        self._wanted.clear()
        self._writable.clear()

    def _stand(self, key: selectors.SelectorKey, events: int) -> None:
        known = self._kernel.get_map().get(key.fd)
        if known is not None and known.fileobj is not key.fileobj:  # that one was closed; its number is used again
            self._kernel.unregister(known.fileobj)
            known = None
        if known is None:
            self._kernel.register(key.fileobj, events)
        elif known.events != events:
            self._kernel.modify(key.fileobj, events)

    def _expected(self, event: tuple[selectors.SelectorKey, int]) -> tuple[selectors.SelectorKey, int] | None:
        known, events = event
        key = self._wanted.get(known.fileobj)
        if key is None or not events & key.events:
            self._kernel.unregister(known.fileobj)
            return None
        return key, events & key.events


def _writable(fd: int) -> bool:
    asking = select.poll()
    asking.register(fd, select.POLLOUT)
    return bool(asking.poll(0))
