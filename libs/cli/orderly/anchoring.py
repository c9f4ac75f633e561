"""Has the evidence anchored again and again while the platform runs, by a process that ends when it has done so."""

import subprocess
import sys
from collections.abc import Callable

from orderly.folder import Folder

EVERY = 60.0  # seconds: so much at the end is not covered yet

Say = Callable[..., None]


class Anchoring:
    """Never blocks. A failure is said, and the next one covers what it left."""

    def __init__(self, folder: Folder, say: Say, now: float) -> None:
        self._folder = folder
        self._say = say
        self._working: subprocess.Popen[bytes] | None = None
        self._due = now + EVERY

    def step(self, now: float) -> float:
        """When it is to be called again, at the latest."""
        if self._working is not None:
            if self._working.poll() is None:
                return now + 0.5
            _, complaint = self._working.communicate()
            if self._working.returncode:
                self._say("not_anchored", level="error", error=complaint.decode(errors="replace").strip()[-500:])
            self._working = None
        if now >= self._due:
            self._due = now + EVERY
            command = [sys.executable, "-P", "-m", "orderly.anchors", str(self._folder.root)]
            self._working = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return self._due

    def stop(self) -> None:
        """Leave none behind. Cut short it has written a whole anchor or none."""
        if self._working is not None:
            self._working.kill()
            self._working.communicate()
