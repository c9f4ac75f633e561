"""The platform as it is installed on a cluster (`make cluster-up`), from outside: its gateway by a forwarded port, its laws by
the auditor's pod.

NAMESPACE and RELEASE name another installation than `orderly` in `orderly`. ORDERLY_URL says where its gateway is reached from
here (a NodePort, an ingress); without it, `kubectl port-forward` leads to one pod of it, for as long as that pod lives.
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
from common.testing.eventually import eventually

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

    def helm(self, *words: str) -> None:
        """Raises AssertionError with what it said."""
        command = ["helm", "--namespace", self.namespace, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=2 * WITHIN, check=False)
        assert done.returncode == 0, f"helm {words[0]}: {done.stderr.strip()}"

    def pods(self, component: str) -> list[dict[str, Any]]:
        chosen = f"app.kubernetes.io/instance={self.release},app.kubernetes.io/component={component}"
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", "pods", "-l", chosen, "-o", "json"))["items"]
        return [pod for pod in found if pod["metadata"].get("deletionTimestamp") is None]

    def workload(self, component: str) -> str:
        """What keeps its pods, as kubectl names it."""
        kind = "statefulset" if component in ("kafka", "redis") else "deployment"
        return f"{kind}/{self.release}-{component}"

    def rolled_out(self, *components: str) -> None:
        """Returns when all that is wanted of them is ready, and nothing else is left."""
        for component in components:
            self.kubectl("rollout", "status", "--timeout", f"{WITHIN}s", self.workload(component))

    def replicas(self, component: str) -> int:
        return int(self.kubectl("get", self.workload(component), "-o", "jsonpath={.spec.replicas}"))

    def scale(self, component: str, count: int) -> None:
        """Returns when so many are ready, and no more are left."""
        self.kubectl("scale", self.workload(component), f"--replicas={count}")
        self.rolled_out(component)
        eventually(lambda: len(self.pods(component)), lambda it: it == count, within=WITHIN)

    @contextmanager
    def gateway(self) -> Iterator[str]:
        """Its base URL, as long as the connection to its pod lasts where it is a forwarded one."""
        if url := os.environ.get("ORDERLY_URL"):
            yield url
            return
        with self.forwarded(f"service/{self.release}-gateway", 80) as url:
            yield url

    @contextmanager
    def forwarded(self, what: str, port: int) -> Iterator[str]:
        """http://127.0.0.1:…, which leads there. Raises OSError when nothing listens yet."""
        command = ["kubectl", "--namespace", self.namespace, "port-forward", "--address", "127.0.0.1", what, f":{port}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as forwarding:
            try:
                assert forwarding.stdout is not None
                line = forwarding.stdout.readline()
                found = re.search(r"127\.0\.0\.1:\d+", line)
                if not found:
                    raise OSError(f"kubectl port-forward {what}: {line}")
                yield f"http://{found[0]}"
            finally:
                forwarding.terminate()

    def pod(self, component: str) -> str:
        """One that is not about to end, by its name."""
        return str(self.pods(component)[0]["metadata"]["name"])

    def inside(
        self, pod: str, *words: str, check: bool = True, within: float = WITHIN
    ) -> subprocess.CompletedProcess[str]:
        """`python -m` these words there."""
        command = ["kubectl", "--namespace", self.namespace, "exec", pod, "--quiet", "--", "python", "-P", "-m", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=within, check=False)
        if check and done.returncode:
            raise AssertionError(
                f"{' '.join(words)} in {pod} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done

    def orderly(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The command line, in the cluster: as its operator, with the log, the read models and the ledger in reach."""
        return self.inside(self.pod("auditor"), "orderly", *words, check=check)

    def verify(self, journals: Path | None = None, patience: int = 60) -> tuple[int, dict[str, Any]]:
        """Exit code and report: the verdict on all laws, what the clients wrote down in `journals` (*.jsonl) included."""
        self.rolled_out("auditor")
        for path in sorted(journals.glob("*.jsonl")) if journals else ():
            copy = ["sh", "-c", f"cat >/data/journal/{path.name}"]
            self.kubectl("exec", "-i", self.pod("auditor"), "--", *copy, say=path.read_bytes())
        words = ("orderly", "verify", "--json", "--patience", str(patience))
        done = self.inside(
            self.pod("auditor"), *words, check=False, within=3 * WITHIN
        )  # beside all else, on a small node
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)
