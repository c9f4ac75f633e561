"""What was answered is on the disk, also after kill -9 at any moment, and a crowd pays for one fsync.

Jobs that arrive while a commit is on its way share the next one (group commit). SQLite, WAL, synchronous=FULL, one thread;
no job's outcome is known to anybody before the commit.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from common.errors import OrderlyError, Unavailable

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]


class Journal:
    """Used from one event loop."""

    def __init__(self, path: Path, schema: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(schema)
        self._thread = ThreadPoolExecutor(1, "journal")
        self._waiting: list[tuple[Job[Any], asyncio.Future[Any]]] = []
        self._committing: asyncio.Task[None] | None = None

    async def run(self, job: Job[T]) -> T:
        """The job's outcome, once it is durable. An OrderlyError that the job raises is an outcome, what it wrote before
        stands. Raises `Unavailable` when the disk does not take it: then nothing of it happened."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((job, done))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit())
        return await done

    def close(self) -> None:
        self._thread.shutdown()
        self._db.close()

    async def _commit(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            outcomes = await loop.run_in_executor(self._thread, self._transact, [job for job, _ in batch])
            for (_, done), outcome in zip(batch, outcomes, strict=True):
                if done.done():
                    continue  # the caller has gone away
                if isinstance(outcome, Exception):
                    done.set_exception(outcome)
                else:
                    done.set_result(outcome)
        self._committing = None

    def _transact(self, jobs: Sequence[Job[Any]]) -> Sequence[Any]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            outcomes = [_outcome(job, self._db) for job in jobs]
            self._db.execute("COMMIT")
        except Exception as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            return [_blame(error)] * len(jobs)
        return outcomes


def _outcome(job: Job[Any], db: sqlite3.Connection) -> Any:
    try:
        return job(db)
    except OrderlyError as refusal:
        return refusal


def _blame(error: Exception) -> Exception:
    if isinstance(error, sqlite3.Error):
        return Unavailable(f"the provider's journal: {error}; nothing was done")
    return error
