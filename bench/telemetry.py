"""Measures what traces, metrics and logs cost an order: the same load with each alone, with all and with none, in turns.

    .venv/bin/python bench/telemetry.py                 about ten minutes
    .venv/bin/python bench/telemetry.py --only all      four: with all of them, and with none

Each turn is a platform of its own, started for it. What counts is CPU per order, of all processes: it hears less of
what else the machine does than any time does. The turns alternate, and the median of the rounds is told, with all of them.
"""

import argparse
import os
import statistics
from collections.abc import Mapping

from harness import machine, platform_of_its_own, table

OFF = {"OTEL_SDK_DISABLED": "true", "ORDERLY_METRICS": "off", "ORDERLY_LOG_LEVEL": "warning"}
MODES: Mapping[str, frozenset[str]] = {
    "none": frozenset(),
    "traces": frozenset({"OTEL_SDK_DISABLED"}),
    "metrics": frozenset({"ORDERLY_METRICS"}),
    "logs": frozenset({"ORDERLY_LOG_LEVEL"}),
    "all": frozenset(OFF),
}
RATE = 30.0


def turn(on: frozenset[str], seconds: float) -> tuple[float, float]:
    """CPU milliseconds per order: at a constant rate, and saturated."""
    for name, value in OFF.items():
        os.environ[name] = value
        if name in on:
            del os.environ[name]
    with platform_of_its_own(say=False) as bench:
        bench.orderly("up", "--detach")
        found = bench.load(rate=RATE, duration=seconds)
    return found["constant"]["cpu_ms_per_order"], found["saturation"]["cpu_ms_per_order"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=12, help="of each of the two loads of a turn")
    parser.add_argument("--only", choices=[it for it in MODES if it != "none"], help="compare this one alone with none")
    given = parser.parse_args()
    modes = {name: on for name, on in MODES.items() if given.only in (None, name) or name == "none"}
    print(machine())
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in modes}
    for _ in range(given.rounds):
        for name, on in modes.items():
            measured[name].append(turn(on, given.seconds))
    rows = []
    for name, turns in measured.items():
        for load, which in (f"{RATE:g} orders/s", 0), ("64 in flight", 1):
            median, none = (statistics.median(it[which] for it in of) for of in (turns, measured["none"]))
            more = "" if name == "none" else f"{(median / none - 1) * 100:+.0f} %"
            rows.append((name, load, f"{median:.2f}", more, ", ".join(f"{it[which]:.2f}" for it in turns)))
    table("CPU ms per order", ["on", "load", "median", "more than none", "each round"], rows)


if __name__ == "__main__":
    main()
