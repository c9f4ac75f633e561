"""Keeps the logs of a running platform from growing for ever: a full one is copied to its predecessor, and emptied in place.

The services go on writing to the file that they have: it is open for appending, so they write to its new end. A line that is
written in the moment between the two is lost.
"""

import os
import shutil
from collections.abc import Callable

from orderly.folder import Folder
from orderly.logfiles import BIGGEST

EVERY = 60.0  # seconds

Say = Callable[..., None]


class Trimming:
    def __init__(self, folder: Folder, say: Say, now: float) -> None:
        self._folder = folder
        self._say = say
        self._due = now + EVERY

    def step(self, now: float) -> float:
        """When it is to be called again, at the latest."""
        if now >= self._due:
            self._due = now + EVERY
            try:
                for log in self._folder.logs.glob("*.jsonl"):
                    if log.stat().st_size > BIGGEST:
                        shutil.copyfile(log, log.with_suffix(".jsonl.1"))
                        os.truncate(log, 0)
            except OSError as error:  # a full disk, for one: the next time
                self._say("logs_not_trimmed", level="warning", error=str(error))
        return self._due
