"""The run file: what the supervisor started, for every other `orderly` process to read."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from orderly.folder import Folder
from orderly.processes import Identity
from orderly.servers import Servers
from orderly.shape import Shape


@dataclass(frozen=True, slots=True)
class Service:
    """`process` None: it is down at the moment. `starts` counts how often it was started."""

    name: str
    role: str
    port: int | None
    admin_port: int | None
    process: Identity | None = None
    starts: int = 0
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One life of a supervisor. It may be over: see `running`."""

    supervisor: Identity
    shape: Shape
    data_dir: str
    base_url: str
    services: Sequence[Service] = ()
    servers: Servers = field(default_factory=Servers)

    def running(self) -> bool:
        return self.supervisor.alive()

    def leftovers(self) -> list[Identity]:
        """What was started by it and still lives."""
        return [it.process for it in self.services if it.process is not None and it.process.alive()]

    def service(self, name: str) -> Service:
        """The process of that name, or the first that is a part of that service."""
        return next(it for it in self.services if it.name == name or it.name.startswith(f"{name}-"))


def _path(folder: Folder) -> str:
    return str(folder.run / "state.json")


def write(folder: Folder, run: Run) -> None:
    """Atomic: a reader sees the old file or the new one."""
    beside = f"{_path(folder)}.{os.getpid()}"
    with open(beside, "w") as file:
        json.dump(asdict(run), file)
    os.replace(beside, _path(folder))


def read(folder: Folder) -> Run | None:
    """None where nothing was ever started, and where the file is not one of ours."""
    try:
        with open(_path(folder)) as file:
            found: dict[str, Any] = json.load(file)
        services = tuple(Service(**{**it, "process": _identity(it["process"])}) for it in found.pop("services"))
        shape, servers = Shape(**found.pop("shape")), Servers(**found.pop("servers"))
        supervisor = Identity(*found.pop("supervisor"))
        return Run(**found, supervisor=supervisor, shape=shape, servers=servers, services=services)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return None


def _identity(found: Sequence[Any] | None) -> Identity | None:
    return None if found is None else Identity(*found)


def remove(folder: Folder) -> None:
    """The supervisor has left nothing behind."""
    if os.path.exists(_path(folder)):
        os.remove(_path(folder))


def remembered_port(folder: Folder) -> int | None:
    """The gateway's port of the last run: whoever noted an address finds it again."""
    try:
        return int((folder.run / "port").read_text())
    except (FileNotFoundError, ValueError):
        return None


def remember_port(folder: Folder, port: int) -> None:
    (folder.run / "port").write_text(f"{port}\n")
