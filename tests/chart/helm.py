"""The chart as Helm renders it: what a profile installs, as objects. HELM names another helm than that on the PATH."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from orderly.failure import Failure

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/orderly"
TOOLS = ROOT / ".venv-tools"
KUBERNETES = "1.33.0"
PROFILES: Mapping[str, Sequence[str]] = {
    "small": (),
    "split": ("values-split.yaml",),
    "durable": ("values-durable.yaml",),
    "external": ("values-external.yaml",),
    "hardened": ("values-split.yaml", "ci/hardened.yaml"),
}

Object = dict[str, Any]


def find() -> str:
    """Raises Failure."""
    return tool("helm")


def tool(name: str) -> str:
    """Raises Failure that says how to get it."""
    places = [os.environ.get(name.upper().replace("-", "_")), TOOLS / "bin" / name, TOOLS / "chart/bin" / name]
    for place in places:
        if place and Path(place).exists():
            return str(place)
    if found := shutil.which(name):
        return found
    raise Failure(f"there is no {name}", f"see the table of tools in {ROOT}/docs/kubernetes.md, and make chart")


def helm(*words: str) -> str:
    """Its output. Raises CalledProcessError, Failure."""
    command = [find(), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


@cache
def rendered(profile: str, *words: str) -> str:
    values = [word for name in PROFILES[profile] for word in ("--values", str(CHART / name))]
    chosen = ["--namespace", "shop", "--kube-version", KUBERNETES, *values, *words]
    return helm("template", "orderly", str(CHART), *chosen)


@cache
def objects(profile: str, *words: str) -> list[Object]:
    """Shared by all who ask: look, and change nothing."""
    return [it for it in yaml.load_all(rendered(profile, *words), yaml.CSafeLoader) if it]


def pods(found: Sequence[Object]) -> Iterator[tuple[Object, Object]]:
    """Each object that makes pods, with the pods' spec."""
    for it in found:
        match it["kind"]:
            case "Pod":
                yield it, it["spec"]
            case "CronJob":
                yield it, it["spec"]["jobTemplate"]["spec"]["template"]["spec"]
            case "Deployment" | "StatefulSet" | "Job":
                yield it, it["spec"]["template"]["spec"]


def containers(pod: Object) -> list[Object]:
    return [*pod.get("initContainers", ()), *pod["containers"]]
