"""The platform as it is installed on a cluster (`make cluster-up`), from outside: its gateway by a forwarded port, its laws by
the auditor's pod. NAMESPACE and RELEASE name another installation than `orderly` in `orderly`.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.testing.cluster import reachable

WITHIN = 300  # seconds for kubectl


@dataclass(frozen=True, slots=True)
class Installed:
    namespace: str
    release: str

    @classmethod
    def named(cls) -> "Installed":
        return cls(os.environ.get("NAMESPACE", "orderly"), os.environ.get("RELEASE", "orderly"))

    def missing(self) -> str | None:
        """Why nothing can be tested here."""
        if missing := reachable():
            return missing
        try:
            self.kubectl("get", "deployment", f"{self.release}-gateway", within=10)
        except (OSError, subprocess.SubprocessError) as error:
            return f"no platform is installed on a cluster (make cluster-up): {error}"
        return None

    def kubectl(self, *words: str, say: bytes | None = None, within: float = WITHIN) -> str:
        """Its output. Raises CalledProcessError."""
        command = ["kubectl", "--namespace", self.namespace, *words]
        done = subprocess.run(command, input=say, capture_output=True, timeout=within, check=True)
        return done.stdout.decode()

    def pods(self, component: str) -> list[dict[str, Any]]:
        chosen = f"app.kubernetes.io/instance={self.release},app.kubernetes.io/component={component}"
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", "pods", "-l", chosen, "-o", "json"))["items"]
        return [pod for pod in found if pod["metadata"].get("deletionTimestamp") is None]

    def rolled_out(self, workload: str = "") -> None:
        """Returns when all of it is ready, or that Deployment alone."""
        all_of_it = ["deployment", "-l", f"app.kubernetes.io/instance={self.release}"]
        chosen = [f"deployment/{self.release}-{workload}"] if workload else all_of_it
        self.kubectl("rollout", "status", "--timeout", f"{WITHIN}s", *chosen)

    @contextmanager
    def gateway(self) -> Iterator[str]:
        """Its base URL, as long as the connection to its pod lasts."""
        with self.forwarded(f"service/{self.release}-gateway", 80) as url:
            yield url

    @contextmanager
    def forwarded(self, what: str, port: int) -> Iterator[str]:
        command = ["kubectl", "--namespace", self.namespace, "port-forward", what, f":{port}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as forwarding:
            try:
                assert forwarding.stdout is not None
                line = forwarding.stdout.readline()
                found = re.search(r"(127\.0\.0\.1:\d+)", line)
                assert found, f"kubectl port-forward {what}: {line}"
                yield f"http://{found[1]}"
            finally:
                forwarding.terminate()

    def orderly(self, *words: str, check: bool = True) -> str:
        """The command line, in the cluster: as its operator, with the log, the read models and the ledger in reach."""
        try:
            return self.kubectl("exec", f"deploy/{self.release}-auditor", "--", "python", "-P", "-m", "orderly", *words)
        except subprocess.CalledProcessError as ended:
            if check:
                raise AssertionError(
                    f"orderly {' '.join(words)}: {ended.stdout.decode()} {ended.stderr.decode()}"
                ) from None
            return str(ended.stdout.decode())

    def verify(self, journals: Path | None = None, patience: int = 60) -> dict[str, Any]:
        """The verdict on all laws, what the clients wrote down in `journals` (*.jsonl) included."""
        for path in sorted(journals.glob("*.jsonl")) if journals else ():
            copy = ["sh", "-c", f"cat >/data/journal/{path.name}"]
            self.kubectl("exec", "-i", f"deploy/{self.release}-auditor", "--", *copy, say=path.read_bytes())
        found: dict[str, Any] = json.loads(self.orderly("verify", "--json", "--patience", str(patience), check=False))
        return found
