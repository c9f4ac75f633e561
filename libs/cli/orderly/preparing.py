"""Has topics and rights put into a private Kafka that lets in only whom it knows, before any service starts."""

import os
import subprocess
import sys
from collections.abc import Callable
from math import inf

from orderly.failure import Failure
from orderly.folder import Folder
from orderly.servers import KAFKA, Servers

ATTEMPTS = 3
AGAIN = 1.0  # seconds, after a failure
LOOK_EVERY = 0.05
ADVICE = "its own log, in the data folder, may tell why"

Say = Callable[..., None]


class Preparing:
    """`orderly kafka prepare --acls`, as the broker itself, until it has been done once."""

    def __init__(self, folder: Folder, servers: Servers, say: Say) -> None:
        self._environment = {**os.environ, **servers.environment(folder, KAFKA)}
        self._say = say
        self._working: subprocess.Popen[bytes] | None = None
        self._start_at = -inf
        self._failed = 0
        self.done = False

    def step(self, now: float) -> float:
        """When it is to be called again, at the latest. Never blocks. Raises Failure when it failed again and again."""
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
                self._failed += 1
                said = " ".join(complaint.decode(errors="replace").split())
                self._say("kafka_not_prepared", level="error", error=said)
                if self._failed == ATTEMPTS:
                    raise Failure(f"topics and rights cannot be put into our Kafka: {said}", ADVICE)
            self._working, self._start_at = None, now + AGAIN
        return now + LOOK_EVERY
