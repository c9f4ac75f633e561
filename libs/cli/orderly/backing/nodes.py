"""The nodes of a private Kafka on disk: numbers, ports, and storage that was formatted once for one cluster."""

import base64
import json
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orderly.failure import Failure
from orderly.sockets import free_ports, is_free


@dataclass(frozen=True, slots=True)
class Node:
    number: int
    folder: Path
    port: int
    controller_port: int

    @property
    def name(self) -> str:
        return f"kafka-{self.number}"

    @property
    def properties(self) -> Path:
        return self.folder / "server.properties"


def nodes_in(home: Path, count: int) -> list[Node]:
    """On the ports of the last time unless somebody has taken one. `count` 0: as many as last time, else one. Raises Failure
    for another count."""
    remembered = home / "ports.json"
    try:
        ports: list[int] = json.loads(remembered.read_text())
    except (FileNotFoundError, ValueError):
        ports = []
    count = count or len(ports) // 2 or 1
    if ports and len(ports) != 2 * count:
        raise Failure(
            f"the Kafka in {home} has {len(ports) // 2} nodes, not {count}",
            f"start it with --brokers {len(ports) // 2}, or choose another folder: --data DIR",
        )
    if not ports or not all(map(is_free, ports)):
        ports = free_ports(2 * count)
        home.mkdir(parents=True, exist_ok=True)
        remembered.write_text(json.dumps(ports))
    return [Node(it + 1, home / f"node-{it + 1}", ports[2 * it], ports[2 * it + 1]) for it in range(count)]


def format_all(nodes: Sequence[Node], java: Sequence[str], arguments: Sequence[str]) -> None:
    """Those that are not formatted yet, at once. `arguments`: more for StorageTool, credentials for example."""
    cluster = nodes[0].folder.parent / "cluster-id"
    if not cluster.exists():
        cluster.write_text(base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))
    tool = [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster.read_text()}"]
    started = [
        subprocess.Popen(
            [*tool, f"--config={node.properties}", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for node in nodes
        if not (node.folder / "data" / "meta.properties").exists()
    ]
    for said, code in [(process.communicate()[0], process.returncode) for process in started]:
        if code:
            raise Failure(f"Kafka's storage in {cluster.parent} cannot be formatted", evidence=_told(said))


def _told(said: str) -> list[str]:
    """What it said, without where in its code it stood."""
    return [line for line in said.splitlines() if not line.startswith("\tat ")][-12:]
