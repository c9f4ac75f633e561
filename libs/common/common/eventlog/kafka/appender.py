"""Appends of a whole process, written by one thread: whatever has queued up meanwhile is sent together.

One round is under way at a time, so records of one key are in the log in the order of their appends, whatever is sent again.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import NamedTuple

from kafka import errors

from common.errors import Unavailable
from common.eventlog.kafka import batches
from common.eventlog.kafka.producing import Producer
from common.eventlog.kafka.topics import Catalog
from common.eventlog.kafka.wire import Place, Wire
from common.eventlog.port import Position, Record

PATIENCE = 5.0  # seconds from the append until its future says `Unavailable` at the latest
ROUND_RECORDS = 1_000
PRODUCE_VERSION = 11  # later ones name topics otherwise

Appended = Future[Sequence[Position]]


class Job(NamedTuple):
    records: Sequence[Record]
    done: Appended
    until: float  # time.monotonic


class Appender:
    """Never blocks the caller: what does not fit into the queue is refused with `Unavailable`.

    A record whose acknowledgement did not come in time may or may not be in the log.
    """

    def __init__(self, open_wire: Callable[[], Wire], catalog: Catalog, capacity: int) -> None:
        self._open_wire = open_wire
        self._catalog = catalog
        self._capacity = capacity
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._queued = 0
        self._closed = False
        self._thread: threading.Thread | None = None

    def append(self, records: Sequence[Record]) -> Appended:
        done = Appended()
        with self._lock:
            refusal = self._refusal(len(records))
            if refusal is None:
                self._queued += len(records)
                self._queue.put(Job(records, done, time.monotonic() + PATIENCE))
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="log-appender", daemon=True)
                    self._thread.start()
        if refusal is not None:
            done.set_exception(Unavailable(refusal))
        return done

    def close(self) -> None:
        """What is queued is written first."""
        with self._lock:
            self._closed = True
            self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def _refusal(self, count: int) -> str | None:
        if self._closed:
            return "the log is closed; nothing was written"
        if self._queued and self._queued + count > self._capacity:
            return f"{self._queued} records wait to be written already; nothing was written, try again later"
        return None

    def _run(self) -> None:
        wire = self._open_wire()
        producer = Producer(wire, None, 0)
        sound = False
        try:
            while jobs := self._take():
                jobs = [job for job in jobs if job.done.set_running_or_notify_cancel()]
                try:
                    wire.run(self._write(wire, producer, jobs, begin=not sound))
                    sound = True
                except Exception as error:
                    sound = False
                    for job in jobs:
                        if not job.done.done():
                            job.done.set_exception(error)
        finally:
            wire.close()

    def _take(self) -> list[Job]:
        """Everything that waits, or the first that comes; empty at the end."""
        jobs: list[Job] = []
        job = self._queue.get()
        size = 0
        try:
            while job is not None:
                jobs.append(job)
                size += len(job.records)
                if size >= ROUND_RECORDS:
                    break
                job = self._queue.get_nowait()
            else:
                self._queue.put(None)
        except Empty:
            pass
        with self._lock:
            self._queued -= size
        return jobs

    async def _write(self, wire: Wire, producer: Producer, jobs: Sequence[Job], *, begin: bool) -> None:
        """One round. The oldest of its appends is the first to lose patience, and all others with it."""
        until = min(job.until for job in jobs)
        if begin:
            await wire.persist(producer.begin, until)
        encoded: dict[Place, list[bytes]] = {}
        placed: list[tuple[Job, list[tuple[Place, int]]]] = []  # where each record of a job stands in `encoded`
        for job in jobs:
            try:
                places = [await self._catalog.place(wire, record) for record in job.records]
                raw = [batches.encode(record) for record in job.records]
            except errors.KafkaError:
                raise
            except Exception as error:  # this one's fault alone
                job.done.set_exception(error)
                continue
            indices = []
            for place, each in zip(places, raw, strict=True):
                there = encoded.setdefault(place, [])
                indices.append((place, len(there)))
                there.append(each)
            placed.append((job, indices))
        offsets = await producer.write(encoded, until, version=PRODUCE_VERSION)
        for job, indices in placed:
            job.done.set_result([Position(*place, offsets[place][index]) for place, index in indices])
