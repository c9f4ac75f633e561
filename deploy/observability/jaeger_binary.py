"""Jaeger for this machine: on the PATH, else built once from its Go module and kept in the user's cache.

The module's `jaeger/go.sum` says which sources they are. Jaeger publishes its web pages elsewhere, so that one built here has
the query API and a page that says so.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path

from orderly.failure import Failure

MODULE = Path(__file__).with_name("jaeger")
MAIN = "github.com/jaegertracing/jaeger/cmd/jaeger"
TELL_EVERY = 15.0  # seconds
ADVICE = "put a jaeger (version 2) on the PATH, or install Go; orderly trace needs neither"

Tell = Callable[[str], object]


def find(tell: Tell) -> Path:
    """Built where that is needed, by one of us at a time. Raises Failure where there is none and none can be built."""
    if found := shutil.which("jaeger"):
        return Path(found)
    kept = _kept()
    kept.parent.mkdir(parents=True, exist_ok=True)
    with (kept.parent / "lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        if not kept.exists():
            _build(kept, tell)
    return kept


def wanted() -> None:
    """Raises Failure where it is not there; continuous integration waits for it to be built."""
    if os.environ.get("CI"):
        find(print)
    elif not shutil.which("jaeger") and not _kept().exists():
        raise Failure(
            "Jaeger was not built here yet", "python -m deploy.observability.jaeger_binary does it, in minutes"
        )


def _kept() -> Path:
    version = hashlib.sha256((MODULE / "go.sum").read_bytes()).hexdigest()[:12]
    return user_cache_path("orderly", appauthor=False) / f"jaeger-{version}" / "jaeger"


def _build(kept: Path, tell: Tell) -> None:
    go = shutil.which("go")
    if go is None:
        raise Failure("there is no jaeger here, and no Go to build it with", ADVICE)
    part, log = kept.with_suffix(".part"), kept.parent / "build.log"
    command = ["nice", go, "build", "-trimpath", "-ldflags=-s -w", "-o", str(part), MAIN]
    began, tell_at = time.monotonic(), 0.0
    with log.open("wb") as output:
        building = subprocess.Popen(command, cwd=MODULE, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            while building.poll() is None:
                if time.monotonic() > tell_at:
                    tell_at = time.monotonic() + TELL_EVERY
                    tell(f"building Jaeger, once: {time.monotonic() - began:.0f} s of some minutes")
                time.sleep(0.2)
        except BaseException:
            building.terminate()
            raise
    if building.returncode:
        raise Failure(f"Jaeger could not be built: see {log}", ADVICE, evidence=log.read_text().splitlines()[-5:])
    os.replace(part, kept)


def main() -> None:
    try:
        found = find(lambda text: print(text, file=sys.stderr, flush=True))  # noqa: T201 a command prints
    except Failure as failure:
        raise SystemExit(f"{failure.what}: {failure.advice}") from None
    sys.stdout.write(f"{found}\n")


if __name__ == "__main__":
    main()
