"""What each guard buys: three replicas as processes, one of them in trouble under a constant load, with and without each guard.

.venv/bin/python bench/resilience.py                    all of it: the tables of docs/patterns.md, in a quarter of an hour
.venv/bin/python bench/resilience.py --trouble killed   one kind of trouble
"""

import argparse
import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from common.resilience.policy import Policy
from common.testing.replicas import TROUBLES, Phase, ordeal

ALL = Policy(deadline=2.0, hedge=0.1)
GUARDS: Mapping[str, Policy] = {
    "all guards": ALL,
    "without hedge": replace(ALL, hedge=0.0),
    "without ejection": replace(ALL, ejection=False),
    "without retry": replace(ALL, attempts=1),
    "without breaker": replace(ALL, breaker=0.0),
    "blind balancing": replace(ALL, balancing="round_robin"),
    "none of them": replace(
        ALL, hedge=0.0, ejection=False, attempts=1, breaker=0.0, bulkhead=0, balancing="round_robin"
    ),
}


def cell(phase: Phase) -> str:
    refused = f" ({phase.refused / len(phase.latencies):.0%} refused)" if phase.refused else ""
    return f"{phase.failures:.1%}{refused}, {phase.quantile(0.99) * 1000:.0f} ms"


async def main(troubles: Sequence[str], rate: float, seconds: float) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print("| one of three is | guards | before | during | after |\n|---|---|---|---|---|")
    for kind in troubles:
        for name, policy in GUARDS.items():
            phases = await ordeal(kind, policy, rate, before=seconds, during=seconds, after=seconds)
            print(f"| {kind} | {name} | {' | '.join(cell(phase) for phase in phases.values())} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What each guard buys.")
    parser.add_argument("--trouble", choices=TROUBLES, action="append")
    parser.add_argument("--rate", type=float, default=60.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each of the three phases")
    chosen = parser.parse_args()
    asyncio.run(main(chosen.trouble or list(TROUBLES), chosen.rate, chosen.seconds))
