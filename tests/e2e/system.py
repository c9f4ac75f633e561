"""The platform on this machine: started by the command that users type, its processes by their names in `orderly status`."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from target import Json, Target, answer_on

from orderly import runfile
from orderly.folder import Folder
from orderly.processes import Identity
from orderly.runfile import Service


def orderly(
    *arguments: str, data: Path, check: bool = True, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The command line, as a user would run it."""
    environ = {**os.environ, "ORDERLY_DATA": str(data), "ORDERLY_RATE_LIMIT": "off", "ORDERLY_LEASE_MS": "1500"}
    environ |= settings or {}
    command = [sys.executable, "-m", "orderly", *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=170, check=False)
    if check and done.returncode:
        raise AssertionError(
            f"orderly {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
    return done


@dataclass
class System(Target):
    engine: str = "embedded"
    settings: Mapping[str, str] = field(default_factory=dict)  # ORDERLY_…, for the services

    def up(self) -> None:
        shape = [word for name, count in self.scale.items() for word in ("--scale", f"{name}={count}")]
        self.orderly("up", "--detach", "--engine", self.engine, *shape, *self.more)
        self.base_url = self.status()["base_url"]

    def down(self) -> None:
        self.orderly("down")

    def status(self) -> Json:
        found: Json = json.loads(self.orderly("status", "--json", check=False).stdout)
        return found

    def orderly(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return orderly(*words, data=self.data, check=check, settings=self.settings)

    def verify(self) -> tuple[int, Json]:
        done = self.orderly("verify", "--json", "--patience", "60", check=False)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def new_token(self, name: str) -> str:
        return self.orderly("token", name).stdout.strip()

    def processes(self, service: str) -> list[str]:
        stem = service.replace(".", "-")
        return [name for name in self._services() if name == stem or name.startswith(f"{stem}-")]

    def kill(self, process: str) -> None:
        self.send(process, signal.SIGKILL)

    def end(self, process: str) -> None:
        self.send(process, signal.SIGTERM)

    def send(self, process: str, number: signal.Signals) -> Identity:
        """Returns whom it was sent to: by now another one may have its name."""
        found = self._services()[process].process
        assert found is not None, f"{process} is down"
        found.send(number)
        return found

    def asked(self, process: str, path: str, accept: str = "*/*") -> tuple[int, str]:
        return answer_on(self._services()[process].admin_port or 0, path, accept)

    @contextmanager
    def reach(self, process: str) -> Iterator[int]:
        yield self._services()[process].port or 0

    def log(self, service: str) -> str:
        folder = Folder.at(self.data)
        return "".join(folder.log_of(name).read_text() for name in self.processes(service))

    def holder(self, name: str) -> Path:
        return Folder.at(self.data).certificates / name

    def rebuild(self, service: str) -> None:
        self.orderly("replay", service, "--switch")

    def rotate(self) -> None:
        self.orderly("certs", "rotate")

    def without_broker(self) -> AbstractContextManager[None] | None:
        return self._frozen("kafka-1") if self.engine == "kafka" else None

    @contextmanager
    def _frozen(self, process: str) -> Iterator[None]:
        frozen = self.send(process, signal.SIGSTOP)
        try:
            yield
        finally:
            frozen.send(signal.SIGCONT)

    def fault(self, switch: str, value: str | None) -> None:
        self.orderly("fault", *(("clear", switch) if value is None else ("set", switch, value)))

    def _services(self) -> dict[str, Service]:
        run = runfile.read(Folder.at(self.data))
        assert run is not None, "nothing was started"
        return {it.name: it for it in run.services if it.process is not None}


@contextmanager
def lawful(system: System) -> Iterator[System]:
    """It runs; afterwards all laws hold, or this fails; whatever happens it is stopped."""
    system.up()
    try:
        yield system
        system.judge()
    finally:
        system.down()
