"""Forks processes that use an embedded log, on request: dozens of them, to be killed and frozen, for the price of one start.

Each line of stdin is `<role> <member> <pause ms> <journal>`; the answer is the pid. A process journals what was acknowledged to
it, one line each; the journal survives kill -9. Roles: `append` writes to "in", `work` copies "in" to "out".
"""

import itertools
import os
import signal
import sys
import time
from pathlib import Path

from common.errors import Fenced
from common.eventlog import EventLog, Record
from common.eventlog.embedded import EmbeddedLog

LEASE = 300


def append(log: EventLog, member: str, pause: float, journal: int) -> None:
    for n in itertools.count():
        batch = [
            Record("in", f"{member}-{n % 5}", f"{member}-{os.getpid()}-{n}.{i}".encode()) for i in range(n % 4 + 1)
        ]
        for record, position in zip(batch, log.append(batch).result(), strict=True):
            os.write(journal, f"in {position.partition} {position.offset} {(record.value or b'').decode()}\n".encode())
        time.sleep(pause)


def work(log: EventLog, member: str, pause: float, journal: int) -> None:
    consumer = log.consumer("in", group="workers", member=member)
    while True:
        batch = consumer.poll(0.05, limit=20)
        time.sleep(pause if batch.records else 0)
        try:
            with consumer.transaction() as transaction:
                for each in batch.records:
                    transaction.send(Record("out", each.key, each.value))
        except Fenced:
            os.write(journal, b"fenced\n")
            continue
        for each, position in zip(batch.records, transaction.positions, strict=True):
            os.write(journal, f"out {position.partition} {position.offset} {(each.value or b'').decode()}\n".encode())


def main(path: Path) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead bury themselves
    for line in sys.stdin:
        role, member, pause, journal = line.split()
        child = os.fork()
        if not child:
            file = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            {"append": append, "work": work}[role](EmbeddedLog(path, lease=LEASE), member, int(pause) / 1000, file)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
