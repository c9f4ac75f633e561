"""Writes what a process appends: all appends of a round share one commit."""

from collections.abc import Sequence

from common.clock import Clock
from common.eventlog.appending import Job
from common.eventlog.embedded import records
from common.eventlog.embedded.catalog import Catalog
from common.eventlog.embedded.database import Database
from common.eventlog.embedded.notify import Notifier
from common.eventlog.embedded.records import Placed


class Commits:
    """The rounds of the embedded log."""

    def __init__(self, database: Database, catalog: Catalog, notifier: Notifier, clock: Clock) -> None:
        self._database = database
        self._catalog = catalog
        self._notifier = notifier
        self._clock = clock

    def write(self, jobs: Sequence[Job]) -> None:
        placed: list[Placed] = []
        written: list[tuple[Job, int]] = []
        for job in jobs:
            try:
                fit = [records.prepare(self._catalog, record) for record in job.records]
            except Exception as error:  # this one's fault alone
                job.done.set_exception(error)
            else:
                placed += fit
                written.append((job, len(fit)))
        with self._database.writing() as sql:
            positions = records.write(sql, placed, self._clock())
        self._notifier.tell(records.topics_of(placed))
        start = 0
        for job, count in written:
            job.done.set_result(positions[start : start + count])
            start += count

    def close(self) -> None:
        self._database.close()
