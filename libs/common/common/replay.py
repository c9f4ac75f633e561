"""Rebuilds a read model from the first event beside the live one, compares the two, and may switch to the new one.

The log is the truth: a read model that differs from its fold was damaged, or was folded by an older program. The platform may
run meanwhile; a document that is being changed is compared again until both show the same version.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice

from common.engine import Engine
from common.eventlog import EventLog
from common.projector import Projection, Projector
from common.readmodel import Bell, Generations, ReadModel
from common.readmodel.memory import MemoryReadModel

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
    done = 0
    while not projector.whole:
        done += projector.step(0.1, BATCH)
        progress(done, projector.lag())
    return projector


def compare(live: ReadModel, fresh: ReadModel, catch_up: Callable[[], object], within: float = PATIENCE) -> Difference:
    """`catch_up` folds into `fresh` what has happened since; after `within` seconds late is different. It keeps in mind what
    differs or may, and no more, however many documents there are."""
    found = Difference()
    until = time.monotonic() + within
    unsure: list[str] = []
    for keys in _keys_of(live, fresh):
        found.compared += len(keys)
        unsure += _judged(keys, live, fresh, found, last=False)
    while unsure:
        time.sleep(0.2)
        catch_up()
        last = time.monotonic() > until
        unsure = [key for some in _chunks(unsure) for key in _judged(some, live, fresh, found, last)]
    return found


def _keys_of(live: ReadModel, fresh: ReadModel) -> Iterator[Sequence[str]]:
    """All that the live one has, then those that only the fresh one has."""
    yield from _chunks(document.key for document in live.documents())
    for keys in _chunks(document.key for document in fresh.documents()):
        known = live.load(keys)
        yield [key for key in keys if key not in known]


def _judged(keys: Sequence[str], live: ReadModel, fresh: ReadModel, found: Difference, last: bool) -> Iterator[str]:
    """Those that could not be compared, because one of the two is only late."""
    served, folded = live.load(keys), fresh.load(keys)
    for key in keys:
        one, other = served.get(key), folded.get(key)
        if one == other:
            continue
        if one is not None and other is not None and (one.version == other.version or last):
            found.different.append(key)
        elif not last:
            yield key
        elif other is None:
            found.superfluous.append(key)
        else:
            found.missing.append(key)


def _chunks(keys: Iterable[str]) -> Iterator[Sequence[str]]:
    left = iter(keys)
    while some := list(islice(left, BATCH)):
        yield some


def run(service: str, projection: Projection, engine: Engine, *, switch: bool, patience: float = PATIENCE) -> int:
    """The command: 0 when the rebuilt model is the same as the live one, 1 when it differs. Tells its progress on stdout."""
    generations = engine.generations(service)
    served, name = generations.current(), generations.new()
    try:
        found = _rebuilt(service, projection, engine, served, name, switch, patience)
    except BaseException:
        generations.drop(name)
        raise
    if former := served if switch else name:
        generations.drop(former)
    return 1 if found else 0


def _rebuilt(
    service: str, projection: Projection, engine: Engine, served: str | None, name: str, switch: bool, patience: float
) -> Difference:
    with ExitStack() as opened:
        log = opened.enter_context(closing(engine.open_log()))
        live: ReadModel = MemoryReadModel()
        if served is not None:
            live = opened.enter_context(closing(engine.open_read_model(service, Bell(), generation=served)))
        fresh = opened.enter_context(closing(engine.open_read_model(service, Bell(), generation=name)))
        started = time.monotonic()
        projector = rebuild(service, projection, log, fresh, _Progress(service))
        _say(f"{service}: rebuilt as generation {name} in {time.monotonic() - started:.1f} s")
        found = compare(live, fresh, lambda: projector.step(0.1, BATCH), patience)
        _tell("only in the live one", found.superfluous)
        _tell("missing in the live one", found.missing)
        _tell("different at the same version", found.different)
        _say(f"{service}: {found.compared} documents compared, " + ("they differ" if found else "all are the same"))
        if switch:
            _switch(engine.generations(service), name, lambda: projector.step(0.1, BATCH), patience)
            _say(f"{service}: the rebuilt one is served now")
        projector.close()
        return found


def _switch(generations: Generations, name: str, catch_up: Callable[[], object], within: float) -> None:
    """To one that is as new as the one it replaces, so that nobody notices; after `within` seconds as it is."""
    until = time.monotonic() + within
    while not generations.switch(name, behind=time.monotonic() > until):
        catch_up()


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
