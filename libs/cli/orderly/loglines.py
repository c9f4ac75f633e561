"""The log lines of all services of a platform as one story: in the order of time, about one order, of a service, of a level."""

import re
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orderly import logfiles
from orderly.folder import Folder
from orderly.logfiles import Follower

Line = Mapping[str, Any]

LEVELS = ("debug", "info", "warning", "error", "critical")
LOOK_EVERY = 0.2  # seconds, when following
_NAMES = ("order_id", "key", "order")  # fields that name an order


@dataclass(slots=True)
class Wanted:
    """What is to be shown. An order's lines are those that name it, and all others of the traces that these belong to."""

    order: str = ""
    services: Collection[str] = ()
    level: str = "debug"
    traces: set[str] = field(default_factory=set)

    def learn(self, line: Line) -> None:
        """Which traces are about the order; to be told of all lines before any is asked for."""
        if self.order and line.get("trace_id") and any(line.get(name) == self.order for name in _NAMES):
            self.traces.add(line["trace_id"])

    def __call__(self, line: Line) -> bool:
        if self.services and line.get("service") not in self.services:
            return False
        if LEVELS.index(self.level) > _rank(line):
            return False
        about = any(line.get(name) == self.order for name in _NAMES) or line.get("trace_id") in self.traces
        return about or not self.order


def read(folder: Folder, wanted: Wanted) -> list[Line]:
    """Everything that there is, in the order of time."""
    raw = [line for file in sorted(folder.logs.glob("*.jsonl*")) for line in file.read_bytes().splitlines()]
    for line in _parsed(raw, {wanted.order} - {""}):
        wanted.learn(line)
    lines = _parsed(raw, {wanted.order, *wanted.traces} if wanted.order else set())
    return sorted(filter(wanted, lines), key=_when)


def follow(folder: Folder, wanted: Wanted, pause: Callable[[float], None] = time.sleep) -> Generator[Line]:
    """What is written from now on, without end; also by services that have not written yet."""
    followers: dict[Path, Follower] = {}
    start = None  # the end, of those that are there now
    try:
        while True:
            for file in folder.logs.glob("*.jsonl"):
                if file not in followers:
                    followers[file] = Follower(file, start)
            start = 0
            found = sorted((line for it in followers.values() for line in it.lines()), key=_when)
            for line in found:
                wanted.learn(line)
            yield from filter(wanted, found)
            pause(LOOK_EVERY)
    finally:
        for it in followers.values():
            it.close()


def _parsed(raw: Iterable[bytes], words: Set[str]) -> Iterator[Line]:
    """Those that have one of the words in them; all, where there are no words."""
    looked_for = re.compile(b"|".join(re.escape(it.encode()) for it in words))
    return (line for text in raw if looked_for.search(text) and (line := logfiles.parse(text)) is not None)


def _when(line: Line) -> str:
    return str(line.get("at", ""))


def _rank(line: Line) -> int:
    level = line.get("level")
    return LEVELS.index(level) if level in LEVELS else 1
