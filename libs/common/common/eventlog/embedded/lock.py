"""One writer at a time, among all threads of all processes; a dead holder lets go by itself.

SQLite waits for its write lock by sleeping up to 100 ms; this lock comes before it and is asked for every 0.1 ms at first
(measured: p99 of a commit 1 ms instead of 4 ms with four busy processes). The kernel releases it when its holder dies.
A holder that is frozen (SIGSTOP) stops all writers until it goes on or is killed: the price of having one file.
"""

import fcntl
import os
import time
from pathlib import Path

from common.errors import Unavailable


class WriteLock:
    """Belongs to one thread. The file names the last holder, for the message of those who wait in vain."""

    def __init__(self, path: Path, patience: float) -> None:
        self._path = path
        self._patience = patience
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._me = f"{os.getpid():<10}".encode()

    def __enter__(self) -> None:
        started = 0.0
        while not self._taken():
            now = time.monotonic()
            started = started or now
            if now - started > self._patience:
                raise Unavailable(
                    f"{self._path}: process {self._holder()} has been writing for {self._patience:.0f} s; nothing was written "
                    f"here. If it is frozen, let it go on (kill -CONT) or end it (kill -KILL)"
                )
            time.sleep(min(0.0001 + (now - started) / 20, 0.01))
        os.pwrite(self._file, self._me, 0)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._file)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _holder(self) -> str:
        return os.pread(self._file, 10, 0).decode(errors="replace").strip() or "unknown"
