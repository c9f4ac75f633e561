"""What the benchmarks of the whole platform have in common: one platform on data of its own, and tables."""

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

Row = Sequence[object]


class Bench:
    """One platform on one data folder, driven by the command line."""

    def __init__(self, data: str) -> None:
        self.data = Path(data)
        self._environ = {**os.environ, "ORDERLY_DATA": data, "ORDERLY_RATE_LIMIT": "off"}

    def orderly(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "orderly", *arguments]
        done = subprocess.run(command, env=self._environ, check=False, stdout=subprocess.PIPE, text=True)
        if done.returncode and not {"verify", "bench"} & set(
            arguments
        ):  # a verdict is no failure, nor is an order refused
            raise SystemExit(f"orderly {' '.join(arguments)} ended with {done.returncode}")
        return done.stdout

    def timed(self, *arguments: str) -> float:
        began = time.monotonic()
        self.orderly(*arguments)
        return time.monotonic() - began

    def load(self, *, rate: float, duration: float, in_flight: int = 64) -> dict[str, Any]:
        shape = ("--rate", str(rate), "--duration", str(duration), "--in-flight", str(in_flight))
        found: dict[str, Any] = json.loads(self.orderly("bench", "--json", *shape))
        return found

    def cpu(self, seconds: float) -> dict[str, float]:
        """Per cent of a core, by process."""
        status = json.loads(self.orderly("status", "--json"))
        processes = {one["name"]: psutil.Process(one["pid"]) for one in status["services"]}
        before = {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}
        time.sleep(seconds)
        return {name: (sum(it.cpu_times()[:2]) - before[name]) / seconds * 100 for name, it in processes.items()}


def table(title: str, header: Row, rows: Sequence[Row]) -> None:
    print(f"\n{title}\n")
    for row in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    sys.stdout.flush()


def pair(found: dict[str, float]) -> str:
    return f"{found['p50']:.0f} / {found['p99']:.0f}"


def machine() -> str:
    """What it is, and how busy."""
    cores, memory, python = psutil.cpu_count(), psutil.virtual_memory().total / 2**30, platform.python_version()
    load = os.getloadavg()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {cores} cores, {memory:.0f} GiB, {platform.system()}, Python {python}, "
        f"load average before: {load:.1f}"
    )


@contextmanager
def platform_of_its_own(*, say: bool = True) -> Iterator[Bench]:
    """Taken down in the end, whatever that is. Says first what machine this is."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    if say:
        print(machine())
    with tempfile.TemporaryDirectory(prefix="orderly-bench-") as data:
        bench = Bench(data)
        try:
            yield bench
        finally:
            bench.orderly("down")


def verified(bench: Bench) -> None:
    """Prints the verdict, and what does not hold."""
    began = time.monotonic()
    verdicts = json.loads(bench.orderly("verify", "--json"))
    print(f"\n`orderly verify`: {verdicts['verdict']}, in {time.monotonic() - began:.0f} s")
    for law in verdicts["laws"]:
        if law["verdict"] != "holds":
            print(f"{law['id']} {law['verdict']}: {law['first']}")
