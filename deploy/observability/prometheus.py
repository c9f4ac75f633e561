"""A real Prometheus for one running platform: its configuration, its process, and its answers.

Debian's 2.42 is the oldest that is meant. It listens on loopback, keeps exemplars, and lives no longer than whoever started it.
"""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orderly.backing.leash import leashed
from orderly.failure import Failure
from orderly.runfile import Run
from orderly.sockets import LOOPBACK, free_ports

ADVICE = "install it (Debian: apt install prometheus)"
STARTS_WITHIN = 30.0  # seconds
ANSWERS_WITHIN = 10.0

Sample = tuple[Mapping[str, str], float]
Series = tuple[Mapping[str, str], Sequence[tuple[float, float]]]


def find(program: str = "prometheus") -> str:
    """Raises Failure that says how to get it."""
    found = shutil.which(program)
    if found is None:
        raise Failure(f"there is no {program} here", ADVICE)
    return found


def targets_of(run: Run) -> list[dict[str, Any]]:
    """Every process of the platform, by its `job` and the name of the process as `instance`."""
    return [
        {
            "targets": [f"{LOOPBACK}:{it.admin_port}"],
            "labels": {"job": it.name.partition("-")[0], "instance": it.name},
        }
        for it in run.services
        if it.admin_port is not None
    ]


def configuration(targets: Sequence[Mapping[str, Any]], rules: Sequence[Path], interval: str) -> str:
    """`interval`: of scrapes and evaluations."""
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [{"job_name": "orderly", "static_configs": list(targets)}],
        }
    )


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One that runs. Raises OSError when it does not answer, ValueError for what it does not understand."""

    url: str

    def query(self, expr: str) -> list[Sample]:
        """What it is now."""
        found = self.ask("query", query=expr)["result"]
        return [(it["metric"], float(it["value"][1])) for it in found]

    def range(self, expr: str, start: float, end: float, step: float) -> list[Series]:
        found = self.ask("query_range", query=expr, start=start, end=end, step=step)["result"]
        return [(it["metric"], [(float(at), float(value)) for at, value in it["values"]]) for it in found]

    def exemplars(self, selector: str, start: float, end: float) -> list[Mapping[str, Any]]:
        """Each has `labels`, `value` and `timestamp`."""
        return [
            one for it in self.ask("query_exemplars", query=selector, start=start, end=end) for one in it["exemplars"]
        ]

    def firing(self) -> dict[str, Mapping[str, Any]]:
        """Alerts that fire, by name."""
        return {it["labels"]["alertname"]: it for it in self.ask("alerts")["alerts"] if it["state"] == "firing"}

    def ask(self, what: str, **parameters: object) -> Any:
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=ANSWERS_WITHIN) as answer:  # nosec B310 # http, and our own
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(f"{what} {parameters}: {error.read().decode()}") from None


@contextmanager
def running(
    folder: Path, targets: Sequence[Mapping[str, Any]], rules: Sequence[Path] = (), interval: str = "5s"
) -> Iterator[Prometheus]:
    """Until the block is left. Raises Failure when there is none, or when it does not start."""
    program, (port,) = find(), free_ports(1)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.yml").write_text(configuration(targets, rules, interval))
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={LOOPBACK}:{port}",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            leashed(command), stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
        )
    try:
        found = Prometheus(f"http://{LOOPBACK}:{port}")
        _wait(found, process, folder / "prometheus.log")
        yield found
    finally:
        process.terminate()
        process.wait(ANSWERS_WITHIN)
        if process.stdin is not None:
            process.stdin.close()


def _wait(found: Prometheus, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{found.url}/-/ready", timeout=1.0):  # nosec B310 # http, and our own
                return
        except OSError:
            time.sleep(0.1)
    raise Failure(f"Prometheus does not start: {log.read_text()[-1000:]}", f"see {log}")
