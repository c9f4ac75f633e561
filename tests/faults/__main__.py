"""Faults for as long as you like: `make soak`. One platform and one seed after the other, until a law is broken."""

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from common.settings import ENGINES
from tests.faults.campaign import Outcome, run
from tests.faults.cards import cards
from tests.faults.plan import plan
from tests.faults.recovery import Recovery, report, table
from tests.faults.setting import SCALED, Setting


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=30.0, help="begin no new seed after that (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="the first seed (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=120.0, help="of trouble, for each seed (default %(default)s)")
    parser.add_argument("--rate", type=float, default=50.0, help="orders per second (default %(default)s)")
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0], help="default %(default)s")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1, help="of the kafka engine (default 1)")
    parser.add_argument("--scaled", action="store_true", help=f"several processes of a service: {', '.join(SCALED)}")
    parser.add_argument("--data", type=Path, help="where the data folders go (default: a temporary folder)")
    parser.add_argument("--plan", action="store_true", help="print the plan of the seed, and do nothing")
    given = parser.parse_args()
    scale = SCALED if given.scaled else ()
    setting = Setting(given.engine, given.brokers, scale, given.rate, given.seconds)
    if given.plan:
        tell_plan(given.seed, setting)
        return 0
    data = given.data or Path(tempfile.mkdtemp(prefix="orderly-faults-"))
    return soak(given.seed, setting, data, time.monotonic() + given.minutes * 60)


def soak(seed: int, setting: Setting, data: Path, ends: float) -> int:
    recoveries: list[Recovery] = []
    while time.monotonic() < ends:
        folder = data / f"seed-{seed}"
        print(f"seed {seed} …", flush=True)
        outcome = run(seed, setting, folder)
        print(outcome, flush=True)
        recoveries += outcome.recoveries
        rows = report(recoveries)
        (data / "recovery.json").write_text(json.dumps(rows, indent=1))
        if outcome.wrong:
            print(table(rows))
            print(how_to_look(outcome, folder))
            return 1
        shutil.rmtree(folder)
        seed += 1
    print(f"\n{table(rows)}\n\nthe same in JSON: {data / 'recovery.json'}")
    return 0


def tell_plan(seed: int, setting: Setting) -> None:
    at = 0.0
    for round in plan(seed, cards(setting)):
        if at + round.seconds > setting.seconds:
            return
        print(f"{at:7.1f} s  {round}")
        at += round.seconds


def how_to_look(outcome: Outcome, folder: Path) -> str:
    wrong = "\n".join(f"  ✗ {it}" for it in outcome.wrong[:20])
    return f"""
seed {outcome.seed}:
{wrong}

look at it:  orderly verify --data {folder}
             orderly dead-letters list --data {folder}
             orderly log read order.events --data {folder}
             ls {folder}/logs
"""


if __name__ == "__main__":
    sys.exit(main())
