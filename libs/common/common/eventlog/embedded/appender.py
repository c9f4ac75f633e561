"""Appends of a whole process, written by one thread: whatever has queued up meanwhile shares the next commit."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue

from common.clock import Clock
from common.errors import Unavailable
from common.eventlog.embedded import records
from common.eventlog.embedded.catalog import Catalog
from common.eventlog.embedded.database import Database
from common.eventlog.embedded.notify import Notifier
from common.eventlog.embedded.records import Placed
from common.eventlog.port import Position, Record

COMMIT_RECORDS = 1_000

Appended = Future[Sequence[Position]]
Job = tuple[Sequence[Record], Appended]


class Appender:
    """Never blocks the caller: what does not fit into the queue is refused with `Unavailable`."""

    def __init__(
        self, open_database: Callable[[], Database], catalog: Catalog, notifier: Notifier, clock: Clock, capacity: int
    ) -> None:
        self._open_database = open_database
        self._catalog = catalog
        self._notifier = notifier
        self._clock = clock
        self._capacity = capacity
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._queued = 0
        self._closed = False
        self._thread: threading.Thread | None = None

    def append(self, batch: Sequence[Record]) -> Appended:
        done = Appended()
        with self._lock:
            refusal = self._refusal(len(batch))
            if refusal is None:
                self._queued += len(batch)
                self._queue.put((batch, done))
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
        """Opening fails like writing does: the futures say so, and the next ones try again."""
        database: Database | None = None
        try:
            while jobs := self._take():
                jobs = [job for job in jobs if job[1].set_running_or_notify_cancel()]
                try:
                    database = database or self._open_database()
                except Exception as error:
                    for _, done in jobs:
                        done.set_exception(error)
                else:
                    self._write(database, jobs)
        finally:
            if database is not None:
                database.close()

    def _take(self) -> list[Job]:
        """Everything that waits, or the first that comes; empty at the end."""
        jobs: list[Job] = []
        job = self._queue.get()
        try:
            size = 0
            while job is not None:
                jobs.append(job)
                size += len(job[0])
                if size >= COMMIT_RECORDS:
                    break
                job = self._queue.get_nowait()
            else:
                self._queue.put(None)
        except Empty:
            pass
        with self._lock:
            self._queued -= size
        return jobs

    def _write(self, database: Database, jobs: Sequence[Job]) -> None:
        placed: list[Placed] = []
        written: list[tuple[Appended, int]] = []
        for batch, done in jobs:
            try:
                fit = [records.prepare(self._catalog, record) for record in batch]
            except Exception as error:  # this one's fault alone
                done.set_exception(error)
            else:
                placed += fit
                written.append((done, len(fit)))
        try:
            with database.writing() as sql:
                positions = records.write(sql, placed, self._clock())
        except Exception as error:
            for done, _ in written:
                done.set_exception(error)
            return
        self._notifier.tell(records.topics_of(placed))
        start = 0
        for done, count in written:
            done.set_result(positions[start : start + count])
            start += count
