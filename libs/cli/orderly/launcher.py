"""Brings a platform up and waits until orders can be placed; takes one down until nothing is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from common.security.master import MasterFile
from orderly import backing, health, keeping, logfiles, processes, runfile
from orderly.backing.artifacts import Tell
from orderly.failure import Failure
from orderly.fleet import STOP_ORDER
from orderly.folder import Folder
from orderly.runfile import Run
from orderly.shape import Shape
from orderly.supervisor import ALREADY_RUNS, CANNOT_START, DRAIN_WITHIN

READY_WITHIN = 120.0
STOP_WITHIN = len(STOP_ORDER) * DRAIN_WITHIN + 3
HOPELESS_AFTER = 5  # starts of one service that was never ready

Progress = Callable[[Mapping[str, str | None]], None]  # service -> what it still waits for


@dataclass(frozen=True, slots=True)
class Launch:
    """`supervisor` None: the platform ran already, under somebody else's supervisor."""

    run: Run
    supervisor: subprocess.Popen[bytes] | None


def bring_up(
    folder: Folder, wanted: Shape, *, port: int | None, attached: bool, progress: Progress, tell: Tell
) -> Launch:
    """Returns when orders can be placed; what has died is brought back. Raises Failure, and then leaves no half platform.

    `attached`: the platform lives no longer than this process, however that ends. Else it is a daemon. `tell` hears of what
    has to be fetched first, which is not counted as waiting.
    """
    folder.make()
    ours: subprocess.Popen[bytes] | None = None
    shape: Shape | None = None
    waiting: Mapping[str, str | None] = {"platform": "about to start"}
    deadline = time.monotonic() + READY_WITHIN
    try:
        while time.monotonic() < deadline:
            run = runfile.read(folder)
            if run is not None and run.running():
                _refuse_another(run, port, wanted)
                waiting = health.unready_all(run.services)
                progress(waiting)
                if not any(waiting.values()) and health.gateway_answers(run):
                    return Launch(run, _unless_beaten(ours, run))
                _give_up_early(folder, run, ours, waiting)
            elif ours is None or ours.poll() == ALREADY_RUNS:  # the other one is about to write its run file, or to end
                if shape is None:
                    shape = _prepared(folder, wanted, tell)
                    deadline = time.monotonic() + READY_WITHIN
                ours = _spawn(folder, shape, port, attached)
                progress(waiting)
            elif ours.poll() is not None:
                raise _cannot_start(folder, ours.returncode)
            time.sleep(0.05)
        late = [f"{name}: {reason}" for name, reason in waiting.items() if reason]
        raise _not_ready(folder, f"not ready within {READY_WITHIN:.0f} s: {', '.join(late) or 'gateway'}", waiting)
    except BaseException:
        if ours is not None:
            stop(folder, ours)
        raise


def stop(folder: Folder, ours: subprocess.Popen[bytes]) -> None:
    """End the supervisor that we started; asked again (a second Ctrl-C), it does not wait for the drain."""
    ours.terminate()
    deadline = time.monotonic() + STOP_WITHIN
    while ours.poll() is None:
        try:
            ours.wait(max(0.0, deadline - time.monotonic()))
        except KeyboardInterrupt:
            ours.terminate()
        except subprocess.TimeoutExpired:
            ours.kill()
    run = runfile.read(folder)
    if run is not None and run.supervisor.pid == ours.pid:
        take_down(folder)


@dataclass(frozen=True, slots=True)
class Stopped:
    """What `take_down` found and ended. `killed`: did not drain in time."""

    names: Sequence[str]
    killed: Sequence[str]


def take_down(folder: Folder) -> Stopped:
    """Ends the supervisor and all that it started, also when the supervisor is dead or frozen. Idempotent."""
    run = runfile.read(folder)
    if run is None:
        return Stopped((), ())
    names = {it.process: it.name for it in run.services if it.process is not None and it.process.alive()}
    supervised = run.running()
    if supervised:
        processes.stop([run.supervisor], STOP_WITHIN)
        run = runfile.read(folder) or run  # it may have restarted something meanwhile
    left = run.leftovers()
    killed = processes.stop(left, DRAIN_WITHIN) if left else []
    if not (now := runfile.read(folder)) or not now.running():
        runfile.remove(folder)
    return Stopped(
        [*names.values(), *(["supervisor"] if supervised else [])], [names.get(it, str(it.pid)) for it in killed]
    )


def _unless_beaten(ours: subprocess.Popen[bytes] | None, run: Run) -> subprocess.Popen[bytes] | None:
    """Somebody else said `up` at the same moment and got the lock: our supervisor has nothing to do."""
    if ours is None or ours.pid == run.supervisor.pid:
        return ours
    ours.terminate()
    ours.wait()
    return None


def _prepared(folder: Folder, wanted: Shape, tell: Tell) -> Shape:
    """What to start, when all that it needs is there. Raises Failure."""
    wanted.check()
    shape = replace(
        wanted, engine=keeping.chosen(folder, wanted.engine), secure=wanted.secure or keeping.secured(folder)
    )
    backing.find(shape, tell)
    keeping.claim(folder, shape)
    for key in (folder.master_key, folder.audit_key):
        MasterFile(key).make()
    return shape


def _spawn(folder: Folder, shape: Shape, port: int | None, attached: bool) -> subprocess.Popen[bytes]:
    """In a session of its own: the terminal's Ctrl-C reaches us alone, and we stop it in order."""
    logfiles.rotate(folder)
    command = [sys.executable, "-P", "-m", "orderly.supervisor", "--data", str(folder.root), *shape.arguments()]
    if port is not None:
        command += ["--port", str(port)]
    theirs: tuple[int, ...] = ()
    if attached:
        end, _ = os.pipe()  # the other end stays open for as long as we live
        theirs = (end,)
        command += ["--parent-fd", str(end)]
    with folder.log_of("supervisor").open("ab") as log:
        started = subprocess.Popen(
            command,
            cwd=folder.root,
            pass_fds=theirs,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    for end in theirs:
        os.close(end)
    return started


def _refuse_another(run: Run, port: int | None, wanted: Shape) -> None:
    if wanted.differs(run.shape):
        raise Failure(
            f"another platform already runs at {run.base_url}: {' '.join(run.shape.arguments())}", "first: orderly down"
        )
    if port is not None and not run.base_url.endswith(f":{port}"):
        raise Failure(f"the platform already runs at {run.base_url}, not on port {port}", "first: orderly down")


def _give_up_early(
    folder: Folder, run: Run, ours: subprocess.Popen[bytes] | None, waiting: Mapping[str, str | None]
) -> None:
    if ours is not None:
        for service in run.services:
            if service.starts >= HOPELESS_AFTER:
                raise _not_ready(folder, f"{service.name} ends again and again", {service.name: waiting[service.name]})


def _not_ready(folder: Folder, what: str, waiting: Mapping[str, str | None]) -> Failure:
    culprit = next((name for name, reason in waiting.items() if reason), "supervisor")
    log = folder.log_of(culprit)
    return Failure(what, f"the end of {log} tells why", evidence=logfiles.tail(log))


def _cannot_start(folder: Folder, code: int) -> Failure:
    log = folder.log_of("supervisor")
    said = logfiles.last(log)
    if code == CANNOT_START and "detail" in said:
        return Failure(said["detail"], said.get("advice", ""))
    return supervisor_ended(folder, code)


def supervisor_ended(folder: Folder, code: int) -> Failure:
    log = folder.log_of("supervisor")
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return Failure(f"the supervisor ended: {how}", f"the end of {log} tells why", evidence=logfiles.tail(log))
