"""The platform as the chart installs it on a cluster: its processes are pods, its operator works in the auditor's."""

import base64
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from system import orderly
from target import Json, Target, answer_on

from orderly.api import Api
from tests.cluster.installed import Installed

SYNC = "orderly.dev/touched"  # a pod's annotation: when it changes, the kubelet looks after the pod's volumes at once


@dataclass
class Installation(Target):
    installed: Installed = field(default_factory=Installed.named)

    @contextmanager
    def running(self) -> Iterator["Installation"]:
        """Scaled as this module wants it, and afterwards as it was."""
        with self.installed.gateway() as self.base_url, self._scaled():
            yield self

    @contextmanager
    def _scaled(self) -> Iterator[None]:
        wanted: dict[str, int] = {}
        for name, count in self.scale.items():
            service = name.partition(".")[0]  # all roles are in one process
            wanted[service] = max(count, wanted.get(service, 1))
        before = {service: self.installed.replicas(service) for service in wanted}
        try:
            for service, count in wanted.items():
                self.installed.scale(service, count)
            yield
        finally:
            for service, count in before.items():
                self.installed.scale(service, count)

    def verify(self) -> tuple[int, Json]:
        return self.installed.verify(self.data / "journal")

    def new_token(self, name: str) -> str:
        return Api(self.base_url, name).token()

    def processes(self, service: str) -> Sequence[str]:
        return [pod["metadata"]["name"] for pod in self.installed.pods(service.partition(".")[0])]

    def kill(self, process: str) -> None:
        self.installed.kubectl("delete", "pod", process, "--grace-period", "0", "--force", "--wait=false")

    def end(self, process: str) -> None:
        self.installed.kubectl("delete", "pod", process, "--wait=false")

    def asked(self, process: str, path: str, accept: str = "*/*") -> tuple[int, str]:
        try:
            with self.installed.forwarded(f"pod/{process}", 9464) as url:
                return answer_on(urlsplit(url).port or 0, path, accept)
        except OSError:
            return 0, ""

    @contextmanager
    def reach(self, process: str) -> Iterator[int]:
        with self.installed.forwarded(f"pod/{process}", 8443) as url:
            yield urlsplit(url).port or 0

    def log(self, service: str) -> str:
        return "".join(self.installed.kubectl("logs", process, "-c", service) for process in self.processes(service))

    def holder(self, name: str) -> Path:
        secret = self.installed.kubectl("get", "secret", f"{self.installed.release}-{name}-tls", "-o", "json")
        folder = Path(tempfile.mkdtemp(dir=self.data))
        for file, content in json.loads(secret)["data"].items():
            (folder / file).write_bytes(base64.b64decode(content))
        return folder

    def rebuild(self, service: str) -> None:
        """By a process of the service: nobody else may write its read model."""
        self.installed.inside(self.installed.pod(service), service, "replay", "--switch")

    def rotate(self) -> None:
        namespace, release = self.installed.namespace, self.installed.release
        words = ("certs", "kubernetes", "--release", release, "--namespace", namespace, "--rotate")
        orderly(*words, data=self.data)
        self.installed.kubectl("annotate", "pods", "--all", "--overwrite", f"{SYNC}={time.time()}")

    @contextmanager
    def without_broker(self) -> Iterator[None]:
        """There is none, until it is over."""
        before = self.installed.replicas("kafka")
        self.installed.scale("kafka", 0)
        try:
            yield
        finally:
            self.installed.scale("kafka", before)

    def fault(self, switch: str, value: str | None) -> None:
        words = ("clear", switch) if value is None else ("set", switch, value)
        for process in self.processes(switch.partition(".")[0]):
            self.installed.inside(process, "orderly", "fault", *words)
