"""Has the certificates made and renewed, by a process that ends when it has: what signs need not stay in memory."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

from orderly.failure import Failure
from orderly.folder import Folder

WITHIN = 30.0
AGAIN = 10.0  # seconds, after a failure: a full disk for one
AT_LEAST_EVERY = 3600.0  # machines sleep, and clocks are set

Say = Callable[..., None]


class Renewal:
    """Raises Failure where there is nothing to begin with. Later failures are said, and tried again long before it matters."""

    def __init__(self, folder: Folder, say: Say, *, secure: bool = False) -> None:
        self._folder = folder.certificates
        self._command = [sys.executable, "-P", "-m", "orderly.renewing", str(folder.root), *["--secure"] * secure]
        self._say = say
        self._working: subprocess.Popen[bytes] | None = None
        started = self._start()
        try:
            out, complaint = started.communicate(timeout=WITHIN)
        except subprocess.TimeoutExpired:
            started.kill()
            out, complaint = started.communicate()
        if started.returncode:
            raise Failure(
                f"certificates in {self._folder}: {_last(complaint)}",
                "delete that folder while the platform is down: it is made anew",
            )
        self._seen = self._changed()
        self._due = time.monotonic() + min(float(out), AT_LEAST_EVERY)

    def step(self, now: float) -> float:
        """When it is to be called again, at the latest. Never blocks."""
        if self._working is not None:
            if self._working.poll() is None:
                return now + 0.2
            out, complaint = self._working.communicate()
            failed = bool(self._working.returncode)
            self._working = None
            if failed:
                self._say("certificates_not_renewed", level="error", error=_last(complaint))
            self._due = now + (AGAIN if failed else min(float(out), AT_LEAST_EVERY))
        if now >= self._due or self._changed() != self._seen:
            self._seen = self._changed()
            self._working = self._start()
            return now + 0.2
        return self._due

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def _changed(self) -> int:
        """Somebody has put a new authority there (`orderly certs rotate --ca`)."""
        try:
            return os.stat(self._folder / "authority").st_mtime_ns
        except FileNotFoundError:
            return 0


def _last(complaint: bytes) -> str:
    lines = complaint.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "the process that makes them was killed"
