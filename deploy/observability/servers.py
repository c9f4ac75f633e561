"""A real Jaeger and a real Prometheus beside a platform: on loopback and free ports, for as long as a block of code."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.observability import jaeger_binary
from deploy.observability.jaeger_binary import Tell
from orderly import logfiles
from orderly.backing.leash import leashed
from orderly.child import Plan, spawn
from orderly.failure import Failure
from orderly.heartbeat import Question
from orderly.runfile import Run
from orderly.sockets import LOOPBACK, free_ports, is_free

HERE = Path(__file__).parent
RULES = HERE / "prometheus"
READY_WITHIN = 60.0
STOPPED_WITHIN = 10.0
SCRAPE_EVERY = "2s"
PROMETHEUS_ADVICE = "install it (Debian: apt install prometheus)"


@dataclass(frozen=True, slots=True)
class Jaeger:
    """`ui` has the query API too; `otlp` is for OTEL_EXPORTER_OTLP_ENDPOINT."""

    ui: str
    otlp: str


@contextmanager
def jaeger(home: Path, tell: Tell, *, sampling: Mapping[str, str] | None = None) -> Iterator[Jaeger]:
    """`sampling`: keep only what jaeger-sampling.yaml says, with these variables of it. Raises Failure."""
    health, query, grpc, otlp = _ports(13133, 16686, 16685, 4318)
    ports = {"HEALTH": health, "QUERY": query, "GRPC": grpc, "OTLP": otlp}
    configs = ["jaeger.yaml"] if sampling is None else ["jaeger.yaml", "jaeger-sampling.yaml"]
    command = [str(jaeger_binary.find(tell)), *(word for it in configs for word in ("--config", str(HERE / it)))]
    told = {f"JAEGER_{name}_PORT": str(port) for name, port in ports.items()}
    with _running("jaeger", command, home, Question(health, _get("/status"), _ok), {**told, **(sampling or {})}):
        yield Jaeger(f"http://{LOOPBACK}:{query}", f"http://{LOOPBACK}:{otlp}")


@contextmanager
def prometheus(home: Path, run: Run) -> Iterator[str]:
    """Its URL. It scrapes every process of the platform, and has the rules that lie in `prometheus/`. Raises Failure."""
    found = shutil.which("prometheus")
    if found is None:
        raise Failure("there is no prometheus here", PROMETHEUS_ADVICE)
    (port,) = _ports(9090)
    home.mkdir(parents=True, exist_ok=True)
    config = home / "prometheus.yaml"
    config.write_text(json.dumps(configuration(run, sorted(RULES.glob("*.yaml"))), indent=1))  # YAML, too
    command = [
        found,
        f"--config.file={config}",
        f"--storage.tsdb.path={home / 'prometheus'}",
        "--storage.tsdb.retention.time=1d",
        f"--web.listen-address={LOOPBACK}:{port}",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
    ]
    with _running("prometheus", command, home, Question(port, _get("/-/ready"), _ok), {}):
        yield f"http://{LOOPBACK}:{port}"


def configuration(run: Run, rules: Sequence[Path]) -> dict[str, object]:
    """Of a Prometheus: `job` is the service, `instance` the process. The supervisor keeps the ports, also over restarts."""
    targets = [
        {"targets": [f"{LOOPBACK}:{it.admin_port}"], "labels": {"job": _service(it.name), "instance": it.name}}
        for it in run.services
        if it.admin_port
    ]
    return {
        "global": {"scrape_interval": SCRAPE_EVERY, "evaluation_interval": SCRAPE_EVERY},
        "rule_files": [str(it) for it in rules],
        "scrape_configs": [{"job_name": "orderly", "static_configs": targets}],
    }


def _service(process: str) -> str:
    return process.partition("-")[0]


@contextmanager
def _running(
    name: str, command: Sequence[str], home: Path, question: Question, told: Mapping[str, str]
) -> Iterator[None]:
    """It ends with us, however we end."""
    home.mkdir(parents=True, exist_ok=True)
    own = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    environment = {**own, "OTEL_TRACES_SAMPLER": "always_off", **told}  # Jaeger would trace itself
    log = home / f"{name}.log"
    plan = Plan(name, name, name, leashed(command), environment, question, log)
    process, pipe = spawn(plan)
    try:
        deadline = time.monotonic() + READY_WITHIN
        while not question.asked(1.0):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failure(f"{name} does not start", f"see {log}", evidence=logfiles.tail(log))
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(pipe)


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()


def _ok(answer: bytes) -> bool:
    return answer[8:13] == b" 200 "


def _ports(*usual: int) -> list[int]:
    """The usual ones, where nobody has them."""
    others = iter(free_ports(len(usual)))
    return [port if is_free(port) else next(others) for port in usual]
