"""Measures the embedded platform and prints the tables of bench/README.md.

    .venv/bin/python bench/embedded.py                  about twelve minutes
    .venv/bin/python bench/embedded.py --orders 10000   two minutes: a shorter log, else the same

Everything runs on data of its own in a temporary folder. Run nothing else beside it: the load generator shares the machine, and
its CPU is not counted, but its presence is.
"""

import argparse

from harness import Bench, pair, platform_of_its_own, table, verified


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
    verified(bench)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=100_000, help="how long the log gets (default: 100000)")
    given = parser.parse_args()
    with platform_of_its_own() as bench:
        measure(bench, given.orders)


if __name__ == "__main__":
    main()
