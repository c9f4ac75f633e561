"""Appends of a whole process, written by one thread: whatever has queued up meanwhile goes in one round. For every engine.

One round is under way at a time, so records of one key are in the log in the order of their appends.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import NamedTuple, Protocol

from common.errors import Unavailable
from common.eventlog.port import Position, Record

ROUND_RECORDS = 1_000


class Job(NamedTuple):
    """One append. `at`: when it was asked for (time.monotonic)."""

    records: Sequence[Record]
    done: "Future[Sequence[Position]]"
    at: float


class Rounds(Protocol):
    """Writes for one thread."""

    def write(self, jobs: Sequence[Job]) -> None:
        """Tell every job where its records went, or why they did not. What is raised is told to those that know nothing yet."""
        ...

    def close(self) -> None: ...


class Appender:
    """Never blocks the caller: what does not fit into the queue is refused with `Unavailable`.

    Opening fails like writing does: the futures say so, and the next ones try again.
    """

    def __init__(self, open_rounds: Callable[[], Rounds], capacity: int) -> None:
        self._open_rounds = open_rounds
        self._capacity = capacity
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._queued = 0
        self._closed = False
        self._thread: threading.Thread | None = None

    def append(self, records: Sequence[Record]) -> "Future[Sequence[Position]]":
        done: Future[Sequence[Position]] = Future()
        with self._lock:
            refusal = self._refusal(len(records))
            if refusal is None:
                self._queued += len(records)
                self._queue.put(Job(records, done, time.monotonic()))
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
        rounds: Rounds | None = None
        try:
            while taken := self._take():
                jobs = [job for job in taken if job.done.set_running_or_notify_cancel()]
                try:
                    rounds = rounds or self._open_rounds()
                    if jobs:
                        rounds.write(jobs)
                except Exception as error:
                    for job in jobs:
                        if not job.done.done():
                            job.done.set_exception(error)
        finally:
            if rounds is not None:
                rounds.close()

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
