"""The embedded engine: one SQLite file for the log, one for each read model, in the data folder. No server."""

from pathlib import Path

from common.clock import Millis
from common.eventlog.embedded import EmbeddedLog
from common.readmodel import Bell
from common.readmodel.embedded import EmbeddedReadModel, EmbeddedView
from common.readmodel.generations import EmbeddedGenerations


class EmbeddedEngine:
    def __init__(self, data: Path) -> None:
        self._data = data

    def open_log(self, *, lease: Millis = 5_000, housekeeping: bool = False) -> EmbeddedLog:
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return EmbeddedLog(self._data / "log.db", lease=lease, housekeeping=housekeeping)

    def generations(self, service: str) -> EmbeddedGenerations:
        return EmbeddedGenerations(self._read_model(service))

    def open_read_model(self, service: str, bell: Bell, *, generation: str | None = None) -> EmbeddedReadModel:
        return EmbeddedReadModel(self._read_model(service), bell, generation=generation)

    def open_view(self, service: str, bell: Bell) -> EmbeddedView:
        return EmbeddedView(self._read_model(service), bell)

    def _read_model(self, service: str) -> Path:
        return self._data / "readmodel" / service
