"""Opens what an engine offers: the log and a service's read model. Only app.py of a service calls it."""

from pathlib import Path

from common.clock import Clock, Millis, system_clock
from common.eventlog import EventLog
from common.eventlog.embedded import EmbeddedLog
from common.readmodel import Bell, ReadModel, View
from common.readmodel.embedded import EmbeddedReadModel, EmbeddedView
from common.readmodel.generations import Generations


def log_path(data: Path) -> Path:
    return data / "log.db"


def read_model_path(data: Path, service: str) -> Path:
    return data / "readmodel" / service


def open_log(data: Path, clock: Clock = system_clock, lease: Millis = 5_000, *, housekeeping: bool = False) -> EventLog:
    """The log of the platform in `data`, made when there is none. Raises LogError that says what is wrong with it.

    One of the processes that offer to do the `housekeeping` does it: compaction, retention, checkpoints of the file.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return EmbeddedLog(log_path(data), clock=clock, lease=lease, housekeeping=housekeeping)


def generations(data: Path, service: str) -> Generations:
    return Generations(read_model_path(data, service))


def open_read_model(data: Path, service: str, bell: Bell, *, generation: str | None = None) -> ReadModel:
    """The one that is served, or the given generation, made when there is none."""
    return EmbeddedReadModel(read_model_path(data, service), bell, generation=generation)


def open_view(data: Path, service: str, bell: Bell) -> View:
    return EmbeddedView(read_model_path(data, service), bell)
