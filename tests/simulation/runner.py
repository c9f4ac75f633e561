"""Many schedules on all cores; and for one that fails, the shortest story that shows why."""

import gc
import logging
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import structlog

from tests.simulation.mutants import HARMLESS, MUTANTS
from tests.simulation.parts import PARTS, Parts
from tests.simulation.plan import Plan, draw
from tests.simulation.schedule import Outcome, run
from tests.simulation.story import story

CHUNK = 250  # schedules that a worker does at a time


@dataclass
class Report:
    seeds: range
    seconds: float = 0.0
    seen: Counter[str] = field(default_factory=Counter[str])
    failures: list[Outcome] = field(default_factory=list)

    def __str__(self) -> str:
        count = len(self.seeds)
        seen = ", ".join(f"{name} {times}" for name, times in self.seen.most_common())
        return (
            f"{count} schedules, seeds {self.seeds.start} to {self.seeds.stop - 1}, in {self.seconds:.1f} s "
            f"({self.seconds / max(count, 1) * 1000:.1f} ms each): {len(self.failures)} broke a law\n"
            f"there happened: {seen}"
        )


def many(seeds: range, jobs: int = 0) -> Report:
    """The real parts, under every seed."""
    report, started = Report(seeds), time.monotonic()
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    with workers(jobs) as pool:
        for seen, failures in pool.map(some, chunks):
            report.seen += seen
            report.failures += failures
    report.seconds = time.monotonic() - started
    return report


def some(seeds: range) -> tuple[Counter[str], list[Outcome]]:
    seen: Counter[str] = Counter()
    failures = []
    for seed in seeds:
        outcome = run(draw(seed))
        seen += outcome.seen
        if outcome.broken:
            failures.append(outcome)
    gc.collect()
    return seen, failures


def catch(name: str, limit: int) -> Outcome | None:
    """The first schedule that a mutant does not survive, if there is one."""
    mutant = {**MUTANTS, **HARMLESS}[name]
    for seed in range(limit):
        outcome = run(draw(seed, mutant.harmed_by), mutant.parts)
        if outcome.broken:
            return outcome
    return None


def shortest(failed: Outcome, parts: Parts = PARTS) -> Outcome:
    """Leaves out one thing after the other, as long as the same law is broken."""
    law, best = failed.broken[0].partition(",")[0], failed

    def still(plan: Plan) -> bool:
        nonlocal best
        outcome = run(plan, parts)
        if not any(sentence.startswith(law) for sentence in outcome.broken):
            return False
        best = outcome
        return True

    size = failed.plan.steps
    while size > 1:
        size = (size + 1) // 2
        for start in range(0, failed.plan.steps, size):
            skipped = best.plan.skipped | set(range(start, start + size))
            if skipped != best.plan.skipped:
                still(replace(best.plan, skipped=skipped))
    still(replace(best.plan, members=1))
    still(replace(best.plan, orders=1))
    return best


def explain(failure: Outcome, mutant: str = "") -> str:
    """A failure as a person wants to read it, with the command that shows it again."""
    parts = {**MUTANTS, **HARMLESS}[mutant].parts if mutant else PARTS
    command = f"python -m tests.simulation --seed {failure.plan.seed}" + (f" --mutant {mutant}" if mutant else "")
    return f"{story(shortest(failure, parts).plan, parts)}\nagain: {command}"


def quiet() -> None:
    """Schedules are full of crashes that would all be logged."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    gc.disable()  # a small world is dropped at once, nearly all of it; `some` sweeps up the rest


@contextmanager
def workers(jobs: int = 0) -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs or os.cpu_count() or 1, mp_context=context, initializer=quiet) as pool:
        yield pool
