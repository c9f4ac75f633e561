"""Holds the platform to its laws: the log, the read models, the provider's ledger and the clients' journals, compared.

While the platform runs, orders are in flight, and what is still open is unknown, not broken: it is looked at again until
nothing is, or until patience ends. Nothing here writes to the platform.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from importlib.metadata import entry_points
from itertools import islice
from pathlib import Path
from typing import Any, cast

from common.clock import Instant, system_clock
from common.decider import Behaviour
from common.errors import LogError
from common.eventlog import EventLog
from common.readmodel import Bell
from common.telemetry import metrics
from common.topology import PROCESSING_SERVICES, PROVIDER
from laws import JournalEntry, OperationRow, Verdict, by_payment, check_all, gather, overall, read_journal
from laws.history import Documents, Dump
from orderly import keeping, records, runfile
from orderly.failure import NOT_RUNNING, Failure
from orderly.folder import Folder

LOOK_EVERY = 1.0  # seconds


def verify(folder: Folder, patience: float) -> Sequence[Verdict]:
    """The verdict of each law. Raises Failure where there is nothing to verify, or a source cannot be read."""
    deadline = 0.0
    with records.log_of(folder) as log:
        while True:
            began = time.monotonic()
            verdicts = check(folder, log)
            deadline = deadline or time.monotonic() + patience  # a look at a long log may take longer than that itself
            if overall(verdicts) != "unknown" or not _running(folder) or time.monotonic() > deadline:
                return verdicts
            time.sleep(max(LOOK_EVERY, time.monotonic() - began))  # checking takes at most half of the time


def check(folder: Folder, log: EventLog) -> list[Verdict]:
    """One look. Journals are read up to where they end now, the ledger only after the log: see laws.gather."""
    journals = [_journal(path) for path in sorted(folder.journals.glob("*.jsonl"))]
    with ExitStack() as opened:
        try:
            models = {service: _read_model(folder, service, opened) for service in PROCESSING_SERVICES}
            now = system_clock()
            history = gather(
                log,
                now=now,
                whole_since=_whole_since(folder, now),
                models=models,
                behaviours=_behaviours(),
                ledger=by_payment(_ledger(folder)),
                journals=journals,
            )
            metrics.LOG_COPIES_MISSING.set(log.copies_missing())
            return check_all(history)
        except (LogError, ValueError) as error:
            raise Failure(f"cannot verify: {error}", code=NOT_RUNNING) from None


def _read_model(folder: Folder, service: str, opened: ExitStack) -> Documents:
    """The one that is served now; where there is none, an empty one: nobody may call that up to date."""
    engine = keeping.open_engine(folder)
    served = engine.generations(service).current()
    if served is None:
        return Dump((), {})
    return opened.enter_context(closing(engine.open_read_model(service, Bell(), generation=served)))


def _behaviours() -> dict[str, Behaviour[Any]]:
    """What the installed services offer: the command line imports none of them by name."""
    return {found.name: found.load() for found in entry_points(group="orderly.behaviours")}


def _journal(path: Path) -> Iterator[JournalEntry]:
    with path.open("rb") as file:
        lines = sum(1 for line in file if line.endswith(b"\n"))
    return islice(read_journal(path), lines)


def _ledger(folder: Folder) -> Iterator[OperationRow]:
    """From the provider itself, with or without its server running. Opened when it is first asked for."""
    if os.environ.get("ORDERLY_PROVIDER_URL"):
        from orderly import elsewhere  # brings an HTTP client along

        yield from elsewhere.ledger()
        return
    if not (folder.root / "provider.db").exists():
        return
    command = [sys.executable, "-P", "-m", PROVIDER, "ledger", "--data", str(folder.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asked:
        assert asked.stdout is not None and asked.stderr is not None
        for line in asked.stdout:
            yield cast(OperationRow, json.loads(line))
        complaint = asked.stderr.read().decode(errors="replace").strip()
    if asked.returncode:
        raise Failure(f"the provider's ledger cannot be read: {complaint}", code=NOT_RUNNING)


def _running(folder: Folder) -> bool:
    run = runfile.read(folder)
    return bool(os.environ.get("ORDERLY_PROVIDER_URL")) or (run is not None and run.running())


def _whole_since(folder: Folder, now: Instant) -> Instant:
    """Since when nothing has died; now, while something is down: nobody's patience is counted from before."""
    run = runfile.read(folder)
    if run is None or not run.running() or any(it.process is None or not it.process.alive() for it in run.services):
        return now
    return max(round(it.process.started * 1000) for it in run.services if it.process is not None)
