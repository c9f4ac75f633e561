"""One auditor at a time: whoever holds the lease checks the laws again and again, and keeps the last report.

Two at once would do no harm and cost twice: checking reads the whole log. What must not happen is that one who was frozen
comes back and overwrites a later report by its own. So each report bears the fencing token of its leader, and an older one is
refused.
"""

import asyncio
import os
import secrets
import socket
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from common.clock import Clock, rfc3339, system_clock
from common.errors import Fenced
from common.leader import Election, Lease
from common.telemetry import metrics
from laws import Verdict, overall, report
from orderly import verification
from orderly.failure import Failure
from orderly.folder import Folder

PATIENCE = 5.0  # seconds for what is under way

Tell = Callable[[dict[str, Any]], None]

_DDL = "CREATE TABLE IF NOT EXISTS reports(id INTEGER PRIMARY KEY CHECK (id = 1), token INTEGER NOT NULL, report BLOB NOT NULL)"
_KEEP = """
INSERT INTO reports(id, token, report) VALUES (1, ?, ?)
ON CONFLICT(id) DO UPDATE SET token = excluded.token, report = excluded.report WHERE excluded.token >= reports.token
RETURNING token
"""


class Reports:
    """The last report, in the data folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self, token: int, body: dict[str, Any]) -> None:
        """Raises Fenced when a later leader has written since."""
        with closing(sqlite3.connect(self._path, timeout=5.0, isolation_level=None)) as sql:
            sql.execute(_DDL)
            if not sql.execute(_KEEP, (token, msgspec.json.encode(body))).fetchall():
                raise Fenced(f"a later auditor than number {token} has reported; this report is dropped")

    def last(self) -> dict[str, Any] | None:
        with closing(sqlite3.connect(self._path, timeout=5.0, isolation_level=None)) as sql:
            sql.execute(_DDL)
            row = sql.execute("SELECT report FROM reports").fetchone()
        return msgspec.json.decode(row[0]) if row else None


class Auditor:
    """A candidate. `times`: so many audits, then it ends; None: until it is cancelled."""

    def __init__(
        self, folder: Folder, lease: Lease, seconds: int, every: float, tell: Tell, clock: Clock = system_clock
    ) -> None:
        self.holder = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._folder = folder
        self._lease = lease
        self._seconds = seconds
        self._every = every
        self._tell = tell
        self._clock = clock
        self._election = Election(lease, self.holder, seconds)
        self._reports = Reports(folder.root / "audit.db")

    async def run(self, times: int | None = None) -> Sequence[Verdict]:
        """The verdicts of the last audit. Where the log or the ledger is away, they are asked again; with `times`, Failure is
        raised: who began with the platform waits for it, who counts wants an answer."""
        verdicts: Sequence[Verdict] = ()
        renewing = asyncio.create_task(self._renew())
        try:
            while times is None or times > 0:
                token = self._election.token
                if token is None:
                    await asyncio.sleep(self._seconds / 10)
                    continue
                try:
                    verdicts = await asyncio.to_thread(verification.verify, self._folder, PATIENCE)
                except Failure as failure:
                    if times:
                        raise
                    self._tell({"unread": str(failure), "token": token})
                    await asyncio.sleep(min(self._every, PATIENCE))
                    continue
                if self._kept(token, verdicts):
                    times = times - 1 if times else None
                if times != 0:
                    await asyncio.sleep(self._every)
            return verdicts
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            await self._election.resign()
            await self._lease.close()

    def _kept(self, token: int, verdicts: Sequence[Verdict]) -> bool:
        said = {"at": rfc3339(self._clock()), "token": token, "auditor": self.holder, **report(verdicts)}
        try:
            self._reports.keep(token, said)
        except Fenced as fenced:
            self._tell({"fenced": str(fenced), "token": token})
            return False
        self._tell({**said, "verdict": overall(verdicts)})
        self._count(verdicts)
        return True

    def _count(self, verdicts: Sequence[Verdict]) -> None:
        metrics.AUDITED.set(self._clock() / 1000)
        for verdict in verdicts:
            metrics.LAW_VIOLATIONS.labels(verdict.id).set(verdict.broken)
            metrics.LAW_UNKNOWN.labels(verdict.id).set(verdict.verdict == "unknown")

    async def _renew(self) -> None:
        leading: str | None = None
        while True:
            before = leading
            leading = self.holder if await self._election.step() is not None else await self._lease.holder()
            if leading != before:
                self._tell({"leader": leading, "token": self._election.token})
            await asyncio.sleep(self._seconds / 4)
