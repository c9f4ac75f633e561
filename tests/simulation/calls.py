"""What becomes of the payment worker's calls: the provider may be deaf, mute, late or out of order."""

from collections.abc import Sequence
from random import Random

from tests.simulation.process import Job, Process
from tests.simulation.provider import Answer, instruction
from tests.simulation.world import World

NO_ANSWER = Answer("unknown", "no answer in time")
ERROR = Answer("unknown", "no usable answer: status 500")
FATES: Sequence[tuple[str, str, float]] = (
    ("late", "arrives later", 0.2),
    ("lost", "is done, the answer is lost", 0.25),
    ("lost", "never arrives", 0.1),
    ("outage", "gets an error", 0.45),
    ("crash", "is done, the worker dies", 0.1),
)


class Calls:
    def __init__(self, world: World, random: Random, kinds: frozenset[str]) -> None:
        self._world = world
        self._random = random
        self._fates = [(fate, chance) for kind, fate, chance in FATES if kind in kinds]

    def work(self, asleep: Process | None) -> str:
        """A worker takes up one of its calls."""
        workers = [process for process in self._world.workers() if process is not asleep]
        if not workers:
            return ""
        process = self._random.choice(workers)
        job = process.jobs.pop(self._random.randrange(len(process.jobs)))
        fate = self._fate()
        match fate:
            case "arrives later":
                self._world.provider.under_way.append(instruction(job.effect.id, job.effect.intent))
                self._silence(process, job, NO_ANSWER)
            case "never arrives":
                self._silence(process, job, NO_ANSWER)
            case "is done, the answer is lost":
                self._world.ask(job)
                self._silence(process, job, NO_ANSWER)
            case "gets an error":
                self._silence(process, job, ERROR)
            case "is done, the worker dies":
                self._world.ask(job)
                self._world.die(process)
            case _:
                answer = self._world.ask(job)
                self._world.report(process, job, answer)
                fate = f"is {answer.result} {answer.detail}".rstrip()
        return f"{job.effect.intent.operation} of {job.order_id} {fate}"

    def arrive(self) -> str:
        """A call that its worker gave up long ago reaches the provider."""
        under_way = self._world.provider.under_way
        if not under_way:
            return ""
        late = under_way.pop(self._random.randrange(len(under_way)))
        answer = self._world.provider.perform(late)
        self._world.seen["late arrivals"] += 1
        return f"{late.operation} of {late.reference} arrives at last, and is {answer.result}"

    def _fate(self) -> str:
        draw = self._random.random()
        for fate, chance in self._fates:
            if draw < chance:
                return fate
            draw -= chance
        return "is answered"

    def _silence(self, process: Process, job: Job, answer: Answer) -> None:
        self._world.seen["provider silent"] += 1
        self._world.report(process, job, answer)
