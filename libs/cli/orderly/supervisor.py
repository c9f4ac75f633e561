"""Starts the services of one data folder, keeps them alive, and leaves none behind: `python -m orderly.supervisor`.

- One supervisor per folder: it holds an exclusive lock for as long as it lives.
- It owns the listening sockets and passes them on, so connections wait out the restart of a service.
- It has the services' certificates made before they start, and renewed in time. The CA's key is for none of them.
- It has the evidence for the audit anchored once a minute, and keeps the logs from growing for ever.
- Services hold the end of a pipe: when the supervisor dies, even by kill -9, they hear it and drain.
- On SIGTERM, SIGINT, SIGHUP, or at the end of the pipe that its own parent gave it, it stops the callers before those
  they call, and the servers they stand on last, each by SIGTERM, time to drain, SIGKILL. A second signal cuts it short.

It logs JSON lines to stdout and imports little: it stays in memory for as long as the platform runs.
"""

import argparse
import contextlib
import fcntl
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.topology import GATEWAY
from orderly import backing, fleet, processes, runfile
from orderly.anchoring import Anchoring
from orderly.child import Child
from orderly.failure import Failure
from orderly.fleet import STOP_ORDER, open_doors
from orderly.folder import Folder
from orderly.preparing import Preparing
from orderly.processes import Identity
from orderly.renewal import Renewal
from orderly.shape import Shape
from orderly.sockets import LOOPBACK, listen_for_clients, port_of
from orderly.trimming import Trimming

ALREADY_RUNS = 3  # exit codes
CANNOT_START = 4
DRAIN_WITHIN = 10.0  # seconds, for each group of services
LOCK_WITHIN = 1.0  # the loser of a race waits, so that whoever started it tries again once a second and not fifty times
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def say(event: str, level: str = "info", **fields: Any) -> None:
    """A full disk must not end the supervisor."""
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    with contextlib.suppress(OSError):
        print(json.dumps({"service": "supervisor", "event": event, "level": level, "at": at, **fields}), flush=True)


class Supervisor:
    def __init__(self, folder: Folder, held: int, shape: Shape, port: int | None, parent: int | None) -> None:
        self._folder = folder
        self._lock = held
        self._shape = shape
        self._parent = parent
        self._stops = 0
        self._selector = selectors.DefaultSelector()
        self._self = Identity.of(os.getpid())
        self._hear_signals()
        self._clear_leftovers()
        self._renewal = Renewal(folder, say, secure=shape.secure)
        self._anchoring = Anchoring(folder, say, time.monotonic())
        self._trimming = Trimming(folder, say, time.monotonic())
        gateway = listen_for_clients(port, runfile.remembered_port(folder))
        runfile.remember_port(folder, port_of(gateway))
        posts = shape.posts()
        self._doors = open_doors(posts, gateway)
        self._url = f"{fleet.scheme(GATEWAY)}://{LOOPBACK}:{port_of(gateway)}"
        self._servers, first = backing.plans(folder, shape)
        services = fleet.plans(folder, posts, self._doors, shape.engine, self._servers)
        self._backing = [Child(plan, say) for plan in first]
        self._services = [Child(plan, say) for plan in services]
        self._children = [*self._backing, *self._services]
        self._preparing = Preparing(folder, self._servers, say) if shape.secure else None
        self._waiting = True

    def run(self) -> None:
        """Until told to stop, or until the data folder is deleted. Nothing that it started is left then."""
        say("started", pid=self._self.pid, base_url=self._url, data_dir=str(self._folder.root))
        try:
            while not self._stops and self._folder_is_there():
                now = time.monotonic()
                due = self._renewal.step(now), self._anchoring.step(now), self._trimming.step(now)
                self._wait(min(self._step(now), *due))
                self._publish()
        finally:
            self._anchoring.stop()
            self._stop()
        runfile.remove(self._folder)
        say("stopped")

    def _step(self, now: float) -> float:
        """The services wait once, for what they stand on; later they bear its restarts themselves."""
        due = [child.step(now) for child in self._backing]
        if self._waiting and all(child.answered for child in self._backing):
            if self._preparing is not None:
                due.append(self._preparing.step(now))
            self._waiting = self._preparing is not None and not self._preparing.done
        return min(due if self._waiting else [*due, *(child.step(now) for child in self._services)])

    def _stop(self) -> None:
        for doors in self._doors.values():
            doors.close_api()
        for group in STOP_ORDER:
            leaving = [child for child in self._children if child.plan.service in group]
            for child in leaving:
                child.ask_to_stop()
            deadline = time.monotonic() + DRAIN_WITHIN
            while not all(child.gone for child in leaving):
                if time.monotonic() > deadline or self._stops > 1:
                    for child in leaving:
                        child.kill()
                for child in leaving:
                    child.step(time.monotonic())
                self._publish()
                if not all(child.gone for child in leaving):
                    self._wait(min(deadline, time.monotonic() + 0.5))

    def _wait(self, until: float) -> None:
        """Until then, or until a signal comes, a child dies, or the parent is gone."""
        for key, _ in self._selector.select(max(0.0, until - time.monotonic())):
            if key.data == "parent":
                self._selector.unregister(key.fd)
                self._stops = max(self._stops, 1)
                say("stopping", parent="gone")
            else:
                os.read(key.fd, 4096)

    def _publish(self) -> None:
        if any(child.changed for child in self._children):
            services = tuple(child.report() for child in self._children)
            run = runfile.Run(self._self, self._shape, str(self._folder.root), self._url, services, self._servers)
            with contextlib.suppress(OSError):  # a full disk: the services live on, the next change tries again
                runfile.write(self._folder, run)
                for child in self._children:
                    child.changed = False

    def _folder_is_there(self) -> bool:
        """Who deletes the data of a running platform wants it gone; the next one there must not meet this one."""
        try:
            ours = os.path.samestat(os.stat(lock_path(self._folder)), os.fstat(self._lock))
        except FileNotFoundError:
            ours = False
        if not ours:
            say("stopping", data_folder="gone")
        return ours

    def _hear_signals(self) -> None:
        """Signals wake the selector through a socket pair; SIGCHLD says nothing but that."""
        hear, wake = socket.socketpair()
        hear.setblocking(False)
        wake.setblocking(False)
        self._wakers = (hear, wake)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in STOP_SIGNALS:
            signal.signal(number, self._told_to_stop)
        self._selector.register(hear, selectors.EVENT_READ, "signal")
        if self._parent is not None:
            self._selector.register(self._parent, selectors.EVENT_READ, "parent")

    def _told_to_stop(self, number: int, _: object) -> None:
        self._stops += 1
        say("stopping", signal=signal.Signals(number).name)

    def _clear_leftovers(self) -> None:
        """A predecessor that was killed may have children that still drain: two owners at once help nobody."""
        before = runfile.read(self._folder)
        if before is not None and (left := before.leftovers()):
            say("clearing_leftovers", pids=[process.pid for process in left])
            processes.stop(left, DRAIN_WITHIN)


def lock_path(folder: Folder) -> Path:
    return folder.run / "supervisor.lock"


def lock(folder: Folder) -> int | None:
    """The lock's file descriptor, held until this process ends; None when another supervisor has it."""
    held = os.open(lock_path(folder), os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + LOCK_WITHIN
    while True:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return held
        except BlockingIOError:
            if time.monotonic() > deadline:
                return None
            time.sleep(0.05)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="orderly.supervisor", description="Started by `orderly up`.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--brokers", type=int, default=0)
    parser.add_argument("--durable", action="store_true")
    parser.add_argument("--secure", action="store_true")
    parser.add_argument("--scale", action="append", default=[])
    parser.add_argument("--port", type=int)
    parser.add_argument("--parent-fd", type=int)
    chosen = parser.parse_args(arguments)
    folder = Folder.at(chosen.data)
    try:
        folder.make()
        held = lock(folder)
        if held is None:
            return ALREADY_RUNS
        shape = Shape(chosen.engine, chosen.brokers, chosen.scale, chosen.durable, chosen.secure)
        Supervisor(folder, held, shape, chosen.port, chosen.parent_fd).run()
    except Failure as failure:
        say("cannot_start", level="error", detail=failure.what, advice=failure.advice)
        return CANNOT_START
    return 0


if __name__ == "__main__":
    sys.exit(main())
