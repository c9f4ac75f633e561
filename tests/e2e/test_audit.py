"""One auditor at a time: when it is frozen or killed another takes over, and what the frozen one says later is refused."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from system import System

from common.testing.eventually import eventually

pytestmark = [pytest.mark.process, pytest.mark.local, pytest.mark.timeout(300)]

LEASE = 2


class Auditor:
    def __init__(self, system: System, log: Path) -> None:
        self._log, self._leases = log, system.data / "leases.db"
        command = [sys.executable, "-m", "orderly", "audit", "--json", "--every", "0.1", "--lease", str(LEASE)]
        environ = {**os.environ, "ORDERLY_DATA": str(system.data)}
        with log.open("w") as output:
            self.process = subprocess.Popen(command, env=environ, stdout=output)

    def said(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.endswith("}")]

    def reports(self, after: int = 0) -> list[dict[str, Any]]:
        return [it for it in self.said() if "verdict" in it and it["token"] > after]

    def leads(self, after: int = 0) -> int:
        """The token under which it reports, larger than `after`."""
        found: dict[str, Any] = eventually(lambda: self.reports(after), within=60)[-1]
        assert found["verdict"] != "broken", found
        return int(found["token"])

    def freeze(self) -> None:
        """While it holds no lock on the file with the leases: from the dead the system takes it, from the frozen nobody can."""
        with closing(sqlite3.connect(self._leases, timeout=30, isolation_level=None)) as leases:
            leases.execute("BEGIN IMMEDIATE")
            self.process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.send_signal(signal.SIGCONT)
        self.process.wait(30)


@pytest.fixture
def auditors(system: System, tmp_path: Path) -> Iterator[list[Auditor]]:
    started = [Auditor(system, tmp_path / f"{number}.log") for number in range(2)]
    yield started
    for each in started:
        if each.process.poll() is None:
            each.end(signal.SIGKILL)


def test_when_the_auditor_is_frozen_or_killed_another_takes_over(auditors: list[Auditor]) -> None:
    one, other = sorted(auditors, key=lambda it: not eventually(it.said, within=60)[0].get("token"))
    first = one.leads()
    assert not other.reports()
    one.freeze()
    second = other.leads(after=first)
    one.process.send_signal(signal.SIGCONT)
    eventually(lambda: [it for it in one.said() if it.get("leader") and it["token"] is None], within=60)
    assert not one.reports(after=first)
    other.end(signal.SIGKILL)
    third = one.leads(after=second)
    assert first < second < third
    one.end(signal.SIGINT)
    assert one.process.returncode in (0, 130)
