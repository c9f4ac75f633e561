"""Shows what a delayed frame does to kafka-python's transactions, and that it does nothing to ours: `make exactly-once`."""

import argparse
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog
from kafka import __version__ as version

from orderly.backing.private import Brokers
from tests.integration.exactly_once import deaths
from tests.integration.exactly_once.clients import CLIENTS
from tests.integration.exactly_once.lab import EXACTLY_ONCE, Verdict
from tests.integration.exactly_once.runs import laboratory, run
from tests.integration.exactly_once.schedules import FLAWS, TROUBLES, Schedule, seeded

Measure = Callable[[str, str], tuple[str, bool]]  # broker, client → what is shown, whether that is right
WIDTH = 104


def schedule(schedule: Schedule) -> Measure:
    def measure(broker: str, client: str) -> tuple[str, bool]:
        verdict = run(broker, client, schedule)
        return str(verdict), verdict == EXACTLY_ONCE

    return measure


def random(seeds: range, transactions: int) -> Measure:
    def measure(broker: str, client: str) -> tuple[str, bool]:
        verdicts = [run(broker, client, seeded(seed, transactions)) for seed in seeds]
        total = Verdict(*(sum(each) for each in zip(*verdicts, strict=True)))
        wrong = sum(verdict != EXACTLY_ONCE for verdict in verdicts)
        return f"{total}{f' in {wrong} of them' if wrong else ''}", not wrong

    return measure


def zombie(broker: str, client: str) -> tuple[str, bool]:
    with laboratory(broker, client) as lab:
        told = deaths.zombie(lab, client)
        lab.drain()
        verdict = lab.verdict()
    return f"told “{told}”: {verdict}", verdict == EXACTLY_ONCE


def killed(restarted: bool) -> Measure:
    def measure(broker: str, client: str) -> tuple[str, bool]:
        with laboratory(broker, client) as lab:
            seconds = deaths.killed(lab, client, restarted=restarted)
            lab.drain()
            verdict = lab.verdict()
        return f"{seconds:.1f} s: {verdict}", verdict == EXACTLY_ONCE

    return measure


def measures(seeds: range, transactions: int) -> Iterator[tuple[str, Measure]]:
    for each in (*FLAWS, *TROUBLES):
        yield str(each.__doc__), schedule(each)
    yield (
        f"random faults: {len(seeds)} seeds from {seeds.start}, {transactions} transactions each",
        random(seeds, transactions),
    )
    yield "frozen until another has its place, then it commits", zombie
    yield "kill -9 inside a transaction: readers stand still for, with a restart", killed(True)
    yield "kill -9 inside a transaction: readers stand still for, without", killed(False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make exactly-once", description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed (default %(default)s)")
    parser.add_argument("--seeds", type=int, default=10, help="how many (default %(default)s)")
    parser.add_argument("--transactions", type=int, default=200, help="for each seed (default %(default)s)")
    asked = parser.parse_args()
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    sound = True
    with tempfile.TemporaryDirectory() as folder:
        brokers = Brokers.start(Path(folder))
        try:
            print(f"{'what happens':{WIDTH}}  {f'kafka-python {version}':34}  Orderly")
            for name, measure in measures(range(asked.first, asked.first + asked.seeds), asked.transactions):
                print(f"{name:{WIDTH}}", end="  ", flush=True)
                shown = {client: measure(brokers.bootstrap, client) for client in CLIENTS}
                print(f"{shown['stock'][0]:34}  {shown['ours'][0]}", flush=True)
                sound = sound and shown["ours"][1]
        finally:
            brokers.stop()
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
