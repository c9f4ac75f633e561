"""Runs schedules from the command line."""

import argparse
import sys

from tests.simulation import runner
from tests.simulation.mutants import HARMLESS, MUTANTS
from tests.simulation.parts import PARTS
from tests.simulation.plan import KINDS, draw
from tests.simulation.schedule import run
from tests.simulation.story import story

EPILOG = "\n".join(
    [
        "kinds of trouble, of which each seed draws some:",
        *(f"  {kind:12} {meaning}" for kind, meaning in KINDS.items()),
        "",
        "mutants that must be caught:",
        *(f"  {mutant.name:34} {mutant.why}" for mutant in MUTANTS.values()),
        "",
        "mutants that break no law, and must not be caught:",
        *(f"  {mutant.name:34} {mutant.why}" for mutant in HARMLESS.values()),
    ]
)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description="Order, payment and inventory under adversarial schedules, with all laws checked at the end of each.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, help="tell the story of this one schedule")
    parser.add_argument("--schedules", type=int, default=10_000, help="how many (default %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default %(default)s)")
    parser.add_argument(
        "--mutant", choices=sorted({**MUTANTS, **HARMLESS}), metavar="NAME", help="break this rule first"
    )
    parser.add_argument("--jobs", type=int, default=0, help="processes (default: one per core)")
    given = parser.parse_args()
    runner.quiet()
    if given.seed is not None:
        return one(given.seed, given.mutant)
    if given.mutant:
        return hunt(given.mutant, given.schedules)
    report = runner.many(range(given.first, given.first + given.schedules), given.jobs)
    print(report)
    for failure in report.failures[:3]:
        print(f"\n{runner.explain(failure)}")
    return 1 if report.failures else 0


def one(seed: int, mutant: str | None) -> int:
    found = {**MUTANTS, **HARMLESS}.get(mutant or "")
    plan = draw(seed, found.harmed_by if found else frozenset())
    outcome = run(plan, found.parts if found else PARTS)
    if outcome.broken:
        print(runner.explain(outcome, mutant or ""))
        return 1
    print(story(plan, found.parts if found else PARTS))
    return 0


def hunt(mutant: str, limit: int) -> int:
    """A mutant that must be caught and is, or must live and does, is a success."""
    caught = runner.catch(mutant, limit)
    print(runner.explain(caught, mutant) if caught else f"{mutant}: lived through {limit} schedules")
    return 0 if bool(caught) == (mutant in MUTANTS) else 1


if __name__ == "__main__":
    sys.exit(main())
