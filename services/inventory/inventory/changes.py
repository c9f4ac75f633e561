"""Tells caches which products have another name, price or delivery now, as soon as a read shows it; server-sent events.

Reservations are not told: each order makes some, and what a cache says of availability is allowed to be a second old.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import structlog

from common import topology
from common.contracts.inventory import ProductPut, StockReceived
from common.errors import Refused, Unavailable
from common.eventlog import EventLog, Stored
from common.readmodel import View

_log = structlog.get_logger("changes")

MOST_LISTENERS = 16
HEARTBEAT = 10.0  # seconds
_TOLD = {ProductPut.__name__, StockReceived.__name__}


class Changes:
    def __init__(self, log: EventLog, view: View) -> None:
        self._log = log
        self._view = view
        self._listeners = 0

    def stream(self) -> AsyncIterator[bytes]:
        """A comment when it listens, then `data: <sku>` for each change, and a comment now and then. Ends when the log or the
        read model is away: whoever follows asks again. Raises Refused for too many listeners."""
        if self._listeners >= MOST_LISTENERS:
            raise Refused(f"{MOST_LISTENERS} listen already")
        return self._tell()

    async def _tell(self) -> AsyncIterator[bytes]:
        self._listeners += 1
        loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1, "catalog changes")  # a reader's one thread
        events = topology.events(topology.INVENTORY)
        try:
            ends = await loop.run_in_executor(thread, self._log.end_offsets, events)
            reader = await loop.run_in_executor(
                thread, self._log.reader, {(events, partition): end for partition, end in ends.items()}
            )
            try:
                yield b": listening\n\n"
                heard = time.monotonic()
                while True:
                    for record in await loop.run_in_executor(thread, reader.poll, 1.0):
                        if not _TOLD.isdisjoint(record.headers["type"].split(",")):
                            await self._shown(record)
                            yield b"data: %b\n\n" % record.key.encode()
                            heard = time.monotonic()
                    if time.monotonic() - heard > HEARTBEAT:
                        yield b": still listening\n\n"
                        heard = time.monotonic()
            finally:
                thread.submit(reader.close)
        except Unavailable as error:
            _log.info("nobody can be told of changes", error=str(error))
        finally:
            self._listeners -= 1
            thread.shutdown(wait=False)

    async def _shown(self, record: Stored) -> None:
        name = f"{record.topic}/{record.partition}"
        while (await self._view.positions()).get(name, 0) <= record.offset:
            await self._view.changed(name, 1.0)
