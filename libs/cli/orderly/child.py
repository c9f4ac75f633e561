"""One process, kept alive: started, watched, and started again when it dies or falls silent."""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from orderly import runfile
from orderly.heartbeat import Heartbeat, Question
from orderly.processes import Identity

FIRST_DELAY = 0.2
LONGEST_DELAY = 10.0
HEALTHY_AFTER = 10.0  # alive for so long: the next death is a new story, and its first restart is quick again
PATIENCE = 30.0  # with a silent process
LOOK_EARLY = 0.2  # seconds, for its first answer
START_PATIENCE = 120.0  # with one that has not answered yet: it may have much to restore

Say = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start, and with what. Its standard input is a pipe that ends when whoever started it does."""

    name: str
    service: str
    role: str
    command: Sequence[str]
    environment: Mapping[str, str]
    question: Question
    log: Path
    port: int | None = None
    admin_port: int | None = None
    sockets: Mapping[str, int] = field(default_factory=dict)  # variable that names it -> listening socket to inherit


def spawn(plan: Plan) -> "tuple[subprocess.Popen[bytes], int]":
    """The process and our end of its pipe, to be kept open for as long as it may live. No two processes share a pipe: one of
    them could make it non-blocking for the other. In a session of its own: the terminal's Ctrl-C is not for it."""
    theirs, ours = os.pipe()
    try:
        with plan.log.open("ab") as log:
            started = subprocess.Popen(
                plan.command,
                env={**plan.environment, **{name: str(fd) for name, fd in plan.sockets.items()}},
                pass_fds=tuple(plan.sockets.values()),
                stdin=theirs,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return started, ours


def delay(deaths: int) -> float:
    """Before the restart after so many deaths in quick succession, the first being 1."""
    return min(FIRST_DELAY * 2.0 ** (deaths - 1), LONGEST_DELAY)


class Child:
    """`step` never blocks. It returns when it would like to be called next, and sets `changed` for the run file."""

    def __init__(self, plan: Plan, say: Say) -> None:
        self.plan = plan
        self.changed = True
        self._pipe = -1  # our end of it, while it runs
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._identity: Identity | None = None
        self._heartbeat = Heartbeat(plan.question)
        self._starts = 0
        self._deaths = 0
        self._started_at = 0.0
        self._start_at = -inf
        self._keep = True

    def step(self, now: float) -> float:
        if self._process is None:
            if self._keep and now >= self._start_at:
                try:
                    self._start(now)
                except OSError as error:  # no memory, no disk: that passes too
                    self._lost(now, lived=0, error=str(error))
            return self._start_at if self._keep else inf
        if (code := self._process.poll()) is not None:
            self._bury(code, now)
            return self._start_at
        if self._keep:
            self._listen(now)
        return now + (1.0 if self._heartbeat.answered else LOOK_EARLY)

    def ask_to_stop(self) -> None:
        """It drains and goes, and is not started again."""
        self._keep = False
        self._heartbeat.reset()
        if self._identity is not None:
            self._say("service_stopping", name=self.plan.name, pid=self._identity.pid)
            self._identity.ask_to_stop()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    @property
    def gone(self) -> bool:
        return self._process is None

    @property
    def answered(self) -> bool:
        """It has, since its last start."""
        return self._heartbeat.answered

    def report(self) -> runfile.Service:
        plan = self.plan
        return runfile.Service(
            plan.name, plan.role, plan.port, plan.admin_port, self._identity, self._starts, plan.question.tls
        )

    def _start(self, now: float) -> None:
        self._process, self._pipe = spawn(self.plan)
        self._identity = Identity.of(self._process.pid)
        self._heartbeat.reset()
        self._started_at = now
        self._starts += 1
        self.changed = True
        self._say("service_started", name=self.plan.name, pid=self._process.pid, starts=self._starts)

    def _bury(self, code: int, now: float) -> None:
        os.close(self._pipe)
        self._process = self._identity = None
        self.changed = True
        if self._keep:
            self._lost(now, lived=now - self._started_at, code=code)
        else:
            self._say("service_stopped", name=self.plan.name, code=code)

    def _lost(self, now: float, *, lived: float, **why: object) -> None:
        self._deaths = 1 if lived > HEALTHY_AFTER else self._deaths + 1
        wait = delay(self._deaths)
        self._start_at = now + wait
        self._say("service_died", level="warning", name=self.plan.name, lived=round(lived, 1), restart_in=wait, **why)

    def _listen(self, now: float) -> None:
        silence = self._heartbeat.silence(now)
        if silence > (PATIENCE if self._heartbeat.answered else START_PATIENCE):
            self._say("service_silent", level="warning", name=self.plan.name, seconds=round(silence))
            self.kill()
            self._heartbeat.reset()
