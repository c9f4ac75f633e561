"""A real Jaeger's answers, wherever it runs; and one for a platform on this machine: its process, on loopback.

This one has its traces in memory, and lives no longer than whoever started it.
"""

import json
import os
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

from deploy.observability import jaeger_binary
from deploy.observability.jaeger_binary import Tell
from orderly import logfiles
from orderly.backing.leash import leashed
from orderly.child import Plan, spawn
from orderly.failure import Failure
from orderly.heartbeat import Question
from orderly.sockets import LOOPBACK, free_ports, is_free

HERE = Path(__file__).parent
STARTS_WITHIN = 60.0  # seconds
STOPS_WITHIN = 10.0
ANSWERS_WITHIN = 10.0
USUAL = {"HEALTH": 13133, "QUERY": 16686, "GRPC": 16685, "OTLP": 4318}

Span = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Jaeger:
    """One that runs. Raises OSError when it does not answer."""

    url: str

    def trace(self, trace_id: str) -> list[Span]:
        """Its spans, in Jaeger's JSON with `service` added; none when there is no such trace."""
        try:
            found = self._ask(f"traces/{trace_id}")
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return []
                raise
        return [span for trace in found for span in _named(trace)]

    def find(self, service: str, tags: Mapping[str, str], limit: int = 100) -> dict[str, list[Span]]:
        """By id: the traces in which this service has a span with these tags."""
        asked = urllib.parse.urlencode({"service": service, "tags": json.dumps(tags), "limit": limit, "lookback": "1h"})
        return {trace["traceID"]: _named(trace) for trace in self._ask(f"traces?{asked}")}

    def _ask(self, what: str) -> list[Any]:
        with urllib.request.urlopen(f"{self.url}/api/{what}", timeout=ANSWERS_WITHIN) as answer:  # nosec B310 # http, and our own
            return json.load(answer)["data"] or []


@dataclass(frozen=True, slots=True)
class OwnJaeger(Jaeger):
    """`otlp` is for OTEL_EXPORTER_OTLP_ENDPOINT."""

    otlp: str
    pid: int


def _named(trace: Mapping[str, Any]) -> list[Span]:
    return [{**span, "service": trace["processes"][span["processID"]]["serviceName"]} for span in trace["spans"]]


@contextmanager
def running(folder: Path, tell: Tell, *, sampling: Mapping[str, str] | None = None) -> Iterator[OwnJaeger]:
    """Until the block is left, on the usual ports where nobody has them. `sampling`: it keeps only what jaeger-sampling.yaml
    says, with these variables of it. Raises Failure when there is none, or when it does not start."""
    others = iter(free_ports(len(USUAL)))
    ports = {name: port if is_free(port) else next(others) for name, port in USUAL.items()}
    configs = ["jaeger.yaml"] if sampling is None else ["jaeger.yaml", "jaeger-sampling.yaml"]
    command = [str(jaeger_binary.find(tell)), *(word for it in configs for word in ("--config", str(HERE / it)))]
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("OTEL_")},
        "OTEL_TRACES_SAMPLER": "always_off",  # it would trace itself
        **{f"JAEGER_{name}_PORT": str(port) for name, port in ports.items()},
        **(sampling or {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    question = Question(ports["HEALTH"], b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n", lambda it: b" 200 " in it)
    plan = Plan("jaeger", "jaeger", "jaeger", leashed(command), environment, question, folder / "jaeger.log")
    process, pipe = spawn(plan)
    try:
        _wait(plan, process)
        yield OwnJaeger(f"http://{LOOPBACK}:{ports['QUERY']}", f"http://{LOOPBACK}:{ports['OTLP']}", process.pid)
    finally:
        process.terminate()
        try:
            process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(pipe)


def _wait(plan: Plan, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while not plan.question.asked(1.0):
        if process.poll() is not None or time.monotonic() > deadline:
            evidence: Sequence[str] = logfiles.tail(plan.log)
            raise Failure("Jaeger does not start", f"see {plan.log}", evidence=evidence)
        time.sleep(0.1)
