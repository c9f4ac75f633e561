"""One schedule: the adversary has its way, then all heals, time passes until everything is quiet, and the laws are checked."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from common.clock import MINUTE, SECOND
from common.topology import PROCESSING_SERVICES
from tests.simulation.adversary import Adversary, Tell
from tests.simulation.judge import happened, judge
from tests.simulation.parts import PARTS, Parts
from tests.simulation.plan import Plan
from tests.simulation.world import World

QUIET = 10 * MINUTE  # nobody waits for anything sooner
EVERYTHING = 1_000_000
ROUNDS = 400  # far more than ever needed


@dataclass(frozen=True, slots=True)
class Outcome:
    plan: Plan
    broken: Sequence[str]  # one sentence for each law that does not hold
    seen: Counter[str]


def silent(world: World, sentence: str) -> None:
    """Nobody listens."""


def run(plan: Plan, parts: Parts = PARTS, tell: Tell = silent) -> Outcome:
    adversary = Adversary(plan, parts, tell)
    world = adversary.world
    try:
        adversary.rage()
        tell(world, "-- all heals --")
        broken = [] if heal(world) else ["it never comes to rest"]
        tell(world, "-- all is quiet --")
        broken += judge(world, parts)
    except Exception as error:  # a process that raises what it must not
        broken = [f"{type(error).__name__}: {error}"]
    return Outcome(plan, broken, world.seen + happened(world))


def digest(plan: Plan) -> str:
    """Of all that the log holds in the end."""
    adversary = Adversary(plan, PARTS, silent)
    adversary.rage()
    found = hashlib.sha256()
    for topic, settings in sorted(adversary.world.log.topics().items()):
        reader = adversary.world.log.reader({(topic, partition): 0 for partition in range(settings.partitions)})
        for record in reader.poll(0, 100_000):
            found.update(repr(record).encode())
    return found.hexdigest()


def heal(world: World) -> bool:
    """Everybody does their work, at once and well. False when there is no end to it."""
    world.end_leases()
    for process in world.processes:
        world.step(process)
    for _ in range(ROUNDS):
        if not _work(world):
            patience = min(process.patience for process in world.processes) * SECOND
            if patience > QUIET:
                for service in PROCESSING_SERVICES:
                    world.project(service, EVERYTHING)
                return True
            world.now += round(patience) + 1
    return False


def _work(world: World) -> int:
    done = 0
    for late in world.provider.under_way:
        world.provider.perform(late)
    world.provider.under_way.clear()
    for process in world.workers():
        for job in process.jobs:
            world.report(process, job, world.ask(job))
            done += 1
        process.jobs.clear()
    for letter in list(world.dead(parked=True)):
        world.redrive(letter)
        done += 1
    return done + sum(world.step(process) for process in world.processes)
