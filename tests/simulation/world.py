"""The platform in one thread: the real processors on the in-memory log; clock, provider and every fault are in our hands.

What happens is up to whoever chooses: the adversary first, then the healer. Methods that return a sentence say what they
did, "" for nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from random import Random

from common import topology
from common.answers import Answer
from common.clock import SECOND, Instant, Millis
from common.contracts.payment import ProviderAnswered
from common.errors import Fenced, Unavailable
from common.eventlog import Record, Stored
from common.eventlog.memory import MemoryLog
from common.projector import Projection, Projector
from common.readmodel.memory import MemoryReadModel
from common.topology import INVENTORY, ORDER, PAYMENT, PROCESSING_SERVICES, commands, dead_letters
from inventory.projection import ProductProjection
from order.projection import OrderProjection
from payment.projection import PaymentProjection
from tests.simulation.client import Client
from tests.simulation.link import Crash, Fates
from tests.simulation.parts import Parts
from tests.simulation.plan import Plan
from tests.simulation.process import Job, Process
from tests.simulation.provider import Answer as Said
from tests.simulation.provider import Provider, instruction

START: Instant = 1_767_225_600_000
PARTITIONS = 2
PROJECTIONS: Mapping[str, Callable[[], Projection]] = {
    ORDER: OrderProjection,
    PAYMENT: PaymentProjection,
    INVENTORY: ProductProjection,
}
CHECKPOINTS: tuple[Millis, ...] = (0, 5 * SECOND, 3600 * SECOND)


class World:
    def __init__(self, plan: Plan, parts: Parts, random: Random, fates: Callable[[Process], Fates]) -> None:
        self.now = START
        self.changes: Counter[str] = Counter()  # of a commands topic, and of its group
        self.random = random
        self.seen: Counter[str] = Counter()
        self.provider = Provider()
        self.log = MemoryLog(clock=self.clock)
        self.log.create(topology.topics(PARTITIONS))
        self.client = Client(plan, random, self.clock, self.append)
        self.client.stock_shelves(plan.stock)
        self.models = {service: MemoryReadModel() for service in PROCESSING_SERVICES}
        self.projectors = {service: self._projector(service) for service in PROCESSING_SERVICES}
        self.zombies: list[Process] = []  # replaced, and not aware of it
        self._parts = parts
        self._fates = fates
        self._checkpoint_every = random.choice(CHECKPOINTS)
        self._redriven: set[tuple[str, int, int]] = set()
        self.processes = [self._start(s, f"{s}-{n}") for s in PROCESSING_SERVICES for n in range(plan.members)]

    def clock(self) -> Instant:
        return self.now

    def append(self, record: Record) -> None:
        self.changes[record.topic] += 1
        self.log.append([record]).result()

    def step(self, process: Process) -> int:
        """How many inputs it handled. If it dies of it, another one takes its place.

        Looking is what costs most. Who found nothing looks again when topic or group have changed, or some time has passed.
        """
        topic = commands(process.service)
        if process.found_nothing_at == self.changes[topic] and process.idle_since <= self.now < process.idle_until:
            return 0
        process.found_nothing_at = -1
        process.idle_since = self.now
        try:
            inputs = process.step()
        except Crash:
            self.die(process)
        except (Fenced, Unavailable) as error:
            self.seen["fenced" if isinstance(error, Fenced) else "cut off"] += 1
            self.changes[topic] += 1
        else:
            self.changes[topic] += process.rebalanced
            if not inputs and not process.rebalanced:
                process.found_nothing_at = self.changes[topic]
                process.idle_until = self.now + min(2 * SECOND, round(process.patience * SECOND))
            return inputs
        return 0

    def lives(self, process: Process) -> bool:
        return process in self.processes or process in self.zombies

    def leave(self, process: Process) -> str:
        """A clean stop, and a new start."""
        self.seen["left"] += 1
        try:
            process.leave()
        except Crash:
            self.seen["crashes"] += 1
        self._end(process)
        return f"{process.name} stops and starts again"

    def die(self, process: Process) -> None:
        """What it had in memory is gone."""
        self.seen["crashes"] += 1
        self._end(process)

    def oversleep(self, process: Process) -> None:
        """Its lease ends, and another one may be started in its place, which it does not know."""
        self.seen["freezes"] += 1
        self._expire(process)
        if process not in self.zombies and self.random.random() < 0.6:
            self._succeed(process)
            self.zombies.append(process)

    def end_leases(self) -> None:
        """Zombies die; and where there were any, whoever lives joins its group anew."""
        self.zombies.clear()
        for process in self.processes if self.seen["freezes"] else ():
            self._expire(process)

    def _expire(self, process: Process) -> None:
        self.changes[commands(process.service)] += 1
        self.log.expire(f"{process.service}-processor", process.name)

    def _end(self, process: Process) -> None:
        if process in self.zombies:
            self.zombies.remove(process)
        else:
            self._succeed(process)

    def _succeed(self, process: Process) -> None:
        self.changes[commands(process.service)] += 1
        self.processes[self.processes.index(process)] = self._start(process.service, process.name)

    def _start(self, service: str, name: str) -> Process:
        return Process(service, name, self._parts, self.log, self.clock, self._fates, self._checkpoint_every)

    def project(self, service: str, limit: int) -> int:
        """How many records were folded into the service's read model."""
        return self.projectors[service].step(0, limit)

    def lose_projector(self, service: str, *, model_too: bool) -> str:
        """A new one goes on where the read model stands, from the first event if that is lost as well."""
        if model_too:
            self.models[service] = MemoryReadModel()
        self.projectors[service] = self._projector(service)
        return f"the projector of {service} dies" + (", and its read model is lost" if model_too else "")

    def _projector(self, service: str) -> Projector:
        return Projector(service, PROJECTIONS[service](), self.log, self.models[service])

    def workers(self) -> list[Process]:
        return [process for process in (*self.processes, *self.zombies) if process.jobs]

    def ask(self, job: Job) -> Said:
        """As the worker does: by key first, if it may have been tried before."""
        known = self.provider.find(job.effect.id) if job.restored or job.effect.intent.ask_first else None
        return known or self.provider.perform(instruction(job.effect.id, job.effect.intent))

    def report(self, process: Process, job: Job, said: Said) -> None:
        """To the process that asked: it knows until it dies."""
        call = job.effect.intent
        message = ProviderAnswered(job.order_id, call.operation, call.attempt, said.result, said.detail)
        self.changes[commands(PAYMENT)] += 1
        process.answers.put(Answer(job.order_id, message, job.effect.id, "service:provider", self.now))

    def duplicate(self, *, orders_too: bool) -> str:
        """An old command once more, as it was."""
        topic, partition = commands(self.random.choice(PROCESSING_SERVICES)), self.random.randrange(PARTITIONS)
        end = self.log.end_offsets(topic)[partition]
        if not end:
            return ""
        oldest = max(0, end - 6) if self.random.random() < 0.6 else 0
        record = self._read(topic, partition, self.random.randrange(oldest, end))
        kind = record.headers.get("type", "")
        if kind == "PlaceOrder" and not orders_too:
            return ""
        self.seen["duplicates"] += 1
        name = (
            f"{record.headers.get('id')} again {self.seen['duplicates']}"  # else L10 takes it for the processor's own
        )
        self.append(Record(topic, record.key, record.value, {**record.headers, "id": name} if kind else {}))
        return f"{kind} of {record.key} is delivered again"

    def dead(self, *, parked: bool) -> Iterator[Stored]:
        """Dead letters that nobody has sent again; only those that payment parked, if so asked."""
        for service in PROCESSING_SERVICES:
            for partition, end in self.log.end_offsets(dead_letters(service)).items():
                for offset in range(end):
                    record = self._read(dead_letters(service), partition, offset)
                    if (record.topic, partition, offset) not in self._redriven and not (
                        parked and "dead_topic" in record.headers
                    ):
                        yield record

    def redrive(self, record: Stored) -> str:
        """As an operator does it."""
        self._redriven.add((record.topic, record.partition, record.offset))
        headers = {name: value for name, value in record.headers.items() if not name.startswith("dead_")}
        topic = record.headers.get("dead_topic") or record.topic.replace("dead-letters", "commands")
        self.append(Record(topic, record.key, record.value, {**headers, "actor": "operator:olga"}))
        self.seen["redriven"] += 1
        return f"operator sends {headers.get('type')} of {record.key} again"

    def _read(self, topic: str, partition: int, offset: int) -> Stored:
        return self.log.reader({(topic, partition): offset}).poll(0, 1)[0]
