"""Has topics and rights put into a private Kafka that lets in only whom it knows, before any service starts."""

import os
import subprocess
import sys
from collections.abc import Callable
from math import inf

from orderly.folder import Folder
from orderly.servers import KAFKA, Servers

AGAIN = 1.0  # seconds, after a failure
LOOK_EVERY = 0.05

Say = Callable[..., None]


class Preparing:
    """`orderly kafka prepare --acls`, as the broker itself, until it has been done once."""

    def __init__(self, folder: Folder, servers: Servers, say: Say) -> None:
        self._environment = {**os.environ, **servers.environment(folder, KAFKA)}
        self._say = say
        self._working: subprocess.Popen[bytes] | None = None
        self._start_at = -inf
        self.done = False

    def step(self, now: float) -> float:
        """When it is to be called again, at the latest. Never blocks."""
        if self._working is None:
            if now < self._start_at:
                return self._start_at
            command = [sys.executable, "-P", "-m", "orderly", "kafka", "prepare", "--acls"]
            self._working = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        elif self._working.poll() is not None:
            _, complaint = self._working.communicate()
            self.done = self._working.returncode == 0
            if not self.done:
                said = complaint.decode(errors="replace").strip()
                self._say("kafka_not_prepared", level="error", error=said)
            self._working, self._start_at = None, now + AGAIN
        return now + LOOK_EVERY
