"""The thread that does the housekeeping; of all processes that have one, one does it at a time."""

import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from common.clock import MINUTE, Clock
from common.errors import LogError
from common.eventlog.embedded.catalog import Catalog
from common.eventlog.embedded.database import Database
from common.eventlog.embedded.housekeeping import Housekeeping

_PERIOD = 1.0  # seconds between two looks

_log = structlog.get_logger("housekeeping")


class Housekeeper:
    """Whoever holds the lock of a side file does it; the kernel hands the lock on when its holder dies."""

    def __init__(self, path: Path, open_database: Callable[[], Database], catalog: Catalog, clock: Clock) -> None:
        self._file = os.open(path.with_name(path.name + ".housekeeper"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._open_database = open_database
        self._catalog = catalog
        self._clock = clock
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-housekeeper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        os.close(self._file)

    def _run(self) -> None:
        while not self._chosen():
            if self._end.wait(_PERIOD):
                return
        while not self._end.is_set():
            try:
                self._serve()
            except LogError as error:  # a full disk, a deleted directory: others say so to their callers
                _log.warning("housekeeping failed, goes on later", error=str(error))
                self._end.wait(_PERIOD)

    def _chosen(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _serve(self) -> None:
        database = self._open_database()
        try:
            housekeeping = Housekeeping(database, self._catalog)
            clean_at = self._clock() + MINUTE
            while not self._end.wait(_PERIOD):
                housekeeping.checkpoint()
                if self._clock() >= clean_at:
                    housekeeping.clean(self._clock())
                    clean_at = self._clock() + MINUTE
        finally:
            database.close()
