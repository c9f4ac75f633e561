"""Measures the embedded platform and prints the tables of bench/README.md.

    .venv/bin/python bench/embedded.py                  about twelve minutes
    .venv/bin/python bench/embedded.py --orders 10000   two minutes: a shorter log, else the same

Everything runs on data of its own in a temporary folder. Run nothing else beside it: the load generator shares the machine, and
its CPU is not counted, but its presence is.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psutil

Row = Sequence[object]


class Bench:
    """One platform on one data folder, driven by the command line."""

    def __init__(self, data: str) -> None:
        self._environ = {**os.environ, "ORDERLY_DATA": data, "ORDERLY_RATE_LIMIT": "off"}

    def orderly(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "orderly", *arguments]
        done = subprocess.run(command, env=self._environ, check=False, stdout=subprocess.PIPE, text=True)
        if done.returncode and "verify" not in arguments:  # a verdict is no failure of the benchmark
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


def measure(bench: Bench, orders: int) -> None:
    cold = bench.timed("up", "--detach")
    idle = bench.cpu(15)
    table(
        "Idle, per cent of a core",
        ["process", "CPU"],
        [(n, f"{c:.2f}") for n, c in idle.items()] + [("all", f"{sum(idle.values()):.2f}")],
    )

    found = bench.load(rate=30, duration=30)
    constant, saturated = found["constant"], found["saturation"]
    table(
        "Load",
        ["load", "orders/s to final", "acceptance p50 / p99 ms", "completion p50 / p99 ms", "CPU ms per order"],
        [
            (
                "30 orders/s, constant",
                constant["orders_per_second"],
                pair(constant["acceptance_ms"]),
                pair(constant["completion_ms"]),
                constant["cpu_ms_per_order"],
            ),
            (
                "64 in flight",
                saturated["orders_per_second"],
                "",
                pair(saturated["completion_ms"]),
                saturated["cpu_ms_per_order"],
            ),
        ],
    )
    memory = found["rss_bytes"]
    table(
        "Memory after it, MB",
        ["process", "RSS"],
        [(n, f"{m / 1e6:.0f}") for n, m in memory.items()] + [("all", f"{sum(memory.values()) / 1e6:.0f}")],
    )

    placed = constant["orders"] + saturated["orders"]
    rows = []
    for goal in (1_000, 10_000, 100_000):
        if goal > orders:
            break
        while placed < goal:
            placed += bench.load(rate=0, duration=min(60, max(1, (goal - placed) / 300)))["saturation"]["orders"]
        phase = bench.load(rate=0, duration=15)["saturation"]
        placed += phase["orders"]
        rows.append((f"{goal:,}", phase["orders_per_second"], pair(phase["completion_ms"]), phase["cpu_ms_per_order"]))
    table(
        "Cost by orders in the log", ["orders before", "orders/s", "completion p50 / p99 ms", "CPU ms per order"], rows
    )

    bench.orderly("down")
    warm = bench.timed("up", "--detach")
    table(
        "Start, s until orders can be placed",
        ["", "s"],
        [("empty data", f"{cold:.1f}"), (f"{placed:,} orders in the log", f"{warm:.1f}")],
    )
    began = time.monotonic()
    verdicts = json.loads(bench.orderly("verify", "--json"))
    print(f"\n`orderly verify`: {verdicts['verdict']}, {placed:,} orders in {time.monotonic() - began:.0f} s")
    for law in verdicts["laws"]:
        if law["verdict"] != "holds":
            print(f"{law['id']} {law['verdict']}: {law['first']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=100_000, help="how long the log gets (default: 100000)")
    given = parser.parse_args()
    cores, memory, python = psutil.cpu_count(), psutil.virtual_memory().total / 2**30, platform.python_version()
    print(f"{datetime.now(UTC):%Y-%m-%d}, {cores} cores, {memory:.0f} GiB, {platform.system()}, Python {python}")
    with tempfile.TemporaryDirectory(prefix="orderly-bench-") as data:
        bench = Bench(data)
        try:
            measure(bench, given.orders)
        finally:
            bench.orderly("down")


if __name__ == "__main__":
    main()
