"""What every service that keeps aggregates is made of: a processor, a projector, an API, and the checks that watch them.

`role` says which of the three this process runs: processor, projector, api, or all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from common import engine, faults, topology
from common.answers import Answers
from common.clock import Clock, system_clock
from common.decider import Behaviour
from common.engine import Engine
from common.errors import OrderlyError, SettingsError
from common.eventlog import EventLog
from common.health import Health
from common.processor import Offer, Processor
from common.projector import Projection, Projector
from common.readmodel import Bell, ReadModel, View
from common.runtime import Loop, Process
from common.security import gate
from common.security.credentials import Credentials
from common.settings import ROLES, Processing
from common.telemetry import metrics
from common.telemetry.eventlog import MeteredLog
from common.telemetry.view_spans import TracedView
from common.telemetry.vitals import Question
from common.watching import Watcher

if TYPE_CHECKING:
    from common.faults.switches import Switches

S = TypeVar("S")

LONGEST_LAG = 10_000  # records that a read model may be behind and still be ready


@dataclass(frozen=True, slots=True)
class Platform:
    """The adapters of one process, opened once."""

    service: str
    settings: Processing
    credentials: Credentials
    engine: Engine
    log: EventLog
    bell: Bell
    clock: Clock = system_clock
    switches: "Switches | None" = None

    @classmethod
    def open(cls, service: str, settings: Processing) -> "Platform":
        if settings.role not in ROLES:
            raise SettingsError(f"role {settings.role!r}: it is one of {', '.join(ROLES)}")
        credentials = Credentials.of(service, settings.certificates)
        chosen = engine.of(settings)
        log = chosen.open_log(lease=settings.lease_ms, housekeeping=True)
        log.create(topology.topics())
        switches = faults.switches_of(service, settings.data, settings)
        metered = MeteredLog(log, topology.events(service), topology.dead_letters(service)) if settings.metrics else log
        opened = faults.around(metered, switches)
        return cls(service, settings, credentials, chosen, opened, Bell(), switches=switches)

    def view(self) -> View:
        return TracedView(self.engine.open_view(self.service, self.bell), self.service)

    def runs(self, role: str) -> bool:
        return self.settings.role in ("all", role)

    def processor(
        self, behaviour: Behaviour[S], offer: Offer, answers: Answers | None, watcher: Watcher[S] | None
    ) -> Processor[S]:
        commands = topology.commands(self.service)
        consumer = self.log.consumer(
            commands, group=topology.processor_group(self.service), member=self.settings.member
        )
        return Processor(
            behaviour,
            self.log,
            consumer,
            self.clock,
            offer=offer,
            answers=answers,
            watcher=watcher if self.settings.metrics else None,
        )

    def projector(self, projection: Projection) -> tuple[Projector, ReadModel]:
        model = self.engine.open_read_model(self.service, self.bell)
        return Projector(self.service, projection, self.log, model), model


def assemble(
    platform: Platform,
    *,
    api: Callable[[], Any],
    behaviour: Behaviour[S],
    projection: Projection,
    offer: Offer = lambda key, effect, restored: None,
    answers: Answers | None = None,
    watcher: Watcher[S] | None = None,
) -> Process:
    """One process of a service, not yet running."""
    health = Health()
    health.ready["log"] = lambda: _reachable(platform)
    loops: list[Loop] = []
    close: list[Callable[[], None]] = []
    questions: list[Question] = []
    if platform.runs("processor"):
        processor = platform.processor(behaviour, offer, answers, watcher)
        loops.append(Loop("processor", processor.step, wake=processor.wake, close=processor.close))
        health.ready["state"] = lambda: None if processor.restored else "no partition is owned and restored yet"
        metrics.PARTITIONS_OWNED.set_function(lambda: len(processor.partitions))
        questions.append(lambda: metrics.LAG_RECORDS.labels("processor").set(_undecided(platform)))
    if platform.runs("projector"):
        projector, model = platform.projector(projection)
        loops.append(Loop("projector", projector.step, recover=projector.restart, close=projector.close, idle=0.5))
        health.ready["read model"] = lambda: _behind(projector)
        close.append(model.close)
        metrics.LAG_SECONDS.labels("projector").set_function(projector.behind.seconds)
        questions.append(lambda: metrics.LAG_RECORDS.labels("projector").set(projector.lag()))
    close.append(platform.log.close)
    own = platform.credentials
    served = gate.enforce(api(), own) if platform.runs("api") else None
    ends, faulty = tuple(close), platform.switches
    return Process(
        platform.service, health, own, served, own.server(), loops, close=ends, switches=faulty, questions=questions
    )


def _reachable(platform: Platform) -> str | None:
    try:
        platform.log.end_offsets(topology.commands(platform.service))
    except OrderlyError as error:
        return str(error)
    return None


def _undecided(platform: Platform) -> int:
    commands, group = topology.commands(platform.service), topology.processor_group(platform.service)
    done = platform.log.committed(commands, group=group)
    return sum(max(0, end - done.get(partition, 0)) for partition, end in platform.log.end_offsets(commands).items())


def _behind(projector: Projector) -> str | None:
    if not projector.whole:
        return "not all is folded that was in the log when it was opened"
    lag = projector.lag()
    return f"{lag} records behind the log" if lag > LONGEST_LAG else None
