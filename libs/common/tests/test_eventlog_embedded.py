"""The embedded log keeps the laws of the port."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.clock import system_clock
from common.eventlog import Consumer, EventLog
from common.eventlog.embedded import EmbeddedLog
from common.testing.eventlog_contract import Engine, EventLogContract

LEASE = 300


class EmbeddedEngine(Engine):
    def __init__(self, path: Path) -> None:
        self._path = path
        self._logs: list[EmbeddedLog] = []

    def open(self) -> EventLog:
        self._logs.append(EmbeddedLog(self._path, lease=LEASE))
        return self._logs[-1]

    def freeze(self, consumer: Consumer, group: str, member: str) -> None:
        time.sleep(LEASE / 1000 * 1.1)

    def compact(self) -> None:
        self._logs[0].housekeeping(system_clock(), eager=True)

    def close(self) -> None:
        for log in self._logs:
            log.close()


class TestEmbeddedLog(EventLogContract):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Iterator[Engine]:
        engine = EmbeddedEngine(tmp_path / "log.db")
        yield engine
        engine.close()
