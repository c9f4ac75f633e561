"""A platform for tests: the real command and supervisor on one data folder, with the real services or with stand-ins."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orderly import launcher, runfile
from orderly.folder import Folder
from orderly.runfile import Run
from orderly.shape import START_ORDER


class Platform:
    """Runs `orderly …` against one data folder. `standins`: where stand-ins for the services are (`make_standins`)."""

    def __init__(self, root: Path, standins: Path | None = None) -> None:
        self.folder = Folder.at(root)
        self.folder.make()
        self.environment = {**os.environ, "ORDERLY_DATA": str(self.folder.root)}
        if standins is not None:
            self.environment["PYTHONPATH"] = str(standins)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "orderly", *arguments]

    def orderly(self, *arguments: str, within: float = 60) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*arguments), env=self.environment, capture_output=True, text=True, timeout=within, check=False
        )

    def up(self, *arguments: str) -> Run:
        done = self.orderly("up", "--detach", *arguments)
        assert done.returncode == 0, done.stderr
        return self.run()

    def run(self) -> Run:
        found = runfile.read(self.folder)
        assert found is not None, "the platform does not run"
        return found

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.orderly("status", "--json").stdout)
        return found

    def pid(self, service: str) -> int:
        process = self.run().service(service).process
        assert process is not None, f"{service} is down"
        return process.pid

    def kill(self, service: str, number: signal.Signals = signal.SIGKILL) -> int:
        """By its own pid, which is returned."""
        pid = self.pid(service)
        os.kill(pid, number)
        return pid


@contextmanager
def platform_at(root: Path, standins: Path | None = None) -> Iterator[Platform]:
    """Whatever the test did, nothing is left running."""
    made = Platform(root, standins)
    try:
        yield made
    finally:
        launcher.take_down(made.folder)


def make_standins(root: Path) -> Path:
    """Packages with the services' names, for PYTHONPATH."""
    for name in START_ORDER:
        (root / name).mkdir()
        (root / name / "__init__.py").touch()
        shutil.copy(Path(__file__).parent / "standin.py", root / name / "__main__.py")
    return root


def eventually(law: Callable[[], bool], within: float = 10) -> None:
    """Fails when the law does not come to hold in time."""
    deadline = time.monotonic() + within
    while not law():
        assert time.monotonic() < deadline, f"does not hold within {within} s"
        time.sleep(0.05)
