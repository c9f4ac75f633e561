"""Rebuilds a read model from the first event beside the live one, compares the two, and may switch to the new one.

The log is the truth: a read model that differs from its fold was damaged, or was folded by an older program. The platform may
run meanwhile; a document that is being changed is compared again until both show the same version.
"""

import itertools
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from common.engine import Engine
from common.eventlog import EventLog
from common.projector import Projection, Projector
from common.readmodel import Bell, Document, ReadModel

BATCH = 500
PATIENCE = 10.0  # seconds for the live model to catch up


@dataclass(slots=True)
class Difference:
    """Keys of documents that only the live model has, only the fresh one has, or that differ at the same version."""

    compared: int = 0
    superfluous: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.superfluous or self.missing or self.different)


def rebuild(
    service: str, projection: Projection, log: EventLog, fresh: ReadModel, progress: Callable[[int, int], None]
) -> Projector:
    """Fold everything into `fresh`; `progress` hears how many records are done and how many are left."""
    projector = Projector(service, projection, log, fresh)
    done = projector.step(0.0, BATCH)
    while left := projector.lag():
        done += projector.step(0.1, BATCH)
        progress(done, left)
    return projector


def compare(live: ReadModel, fresh: ReadModel, catch_up: Callable[[], object], within: float = PATIENCE) -> Difference:
    """`catch_up` folds into `fresh` what has happened since; after `within` seconds late is different."""
    found = Difference()
    until = time.monotonic() + within
    unsure = [document.key for document in itertools.chain(live.documents(), fresh.documents())]
    found.compared = len(set(unsure))
    while unsure:
        last = time.monotonic() > until
        unsure = [key for key in dict.fromkeys(unsure) if not _judged(key, live, fresh, found, last)]
        if unsure:
            time.sleep(0.2)
            catch_up()
    return found


def _judged(key: str, live: ReadModel, fresh: ReadModel, found: Difference, last: bool) -> bool:
    """Whether the two could be compared; else one of them is only late."""
    served: Document | None = live.load([key]).get(key)
    folded: Document | None = fresh.load([key]).get(key)
    if served == folded:
        return True
    if served is not None and folded is not None and served.version == folded.version:
        found.different.append(key)
        return True
    if last:
        lists = found.superfluous if folded is None else found.missing if served is None else found.different
        lists.append(key)
    return last


def run(service: str, projection: Projection, engine: Engine, *, switch: bool) -> int:
    """The command: 0 when the rebuilt model is the same as the live one, 1 when it differs. Tells its progress on stdout."""
    generations = engine.generations(service)
    name = generations.new()
    with (
        closing(engine.open_log()) as log,
        closing(engine.open_read_model(service, Bell())) as live,
        closing(engine.open_read_model(service, Bell(), generation=name)) as fresh,
    ):
        started = time.monotonic()
        projector = rebuild(service, projection, log, fresh, _Progress(service))
        _say(f"{service}: rebuilt as generation {name} in {time.monotonic() - started:.1f} s")
        found = compare(live, fresh, lambda: projector.step(0.1, BATCH))
        projector.close()
    _tell("only in the live one", found.superfluous)
    _tell("missing in the live one", found.missing)
    _tell("different at the same version", found.different)
    _say(f"{service}: {found.compared} documents compared, " + ("they differ" if found else "all are the same"))
    if switch:
        generations.switch(name)
        _say(f"{service}: the rebuilt one is served now")
    else:
        generations.drop(name)
    return 1 if found else 0


class _Progress:
    """A line every two seconds."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._next = time.monotonic() + 2

    def __call__(self, done: int, left: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 2
            _say(f"{self._service}: {done} records folded, {left} to go")


def _tell(what: str, keys: list[str]) -> None:
    if keys:
        shown = ", ".join(keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
        _say(f"  {what}: {shown}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
