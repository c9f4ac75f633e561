"""A worker in a process of its own, which can be frozen and killed. It does what it is told, a word a line.

poll    take the next input                                                          → polled
notice  go on until it knows that it has lost its place (ours asks when it commits)  → noticed
commit  handle it in one transaction                                                 → committed, or the error's name
"""

import signal
import subprocess
import sys

import structlog

from common.errors import LogError
from common.eventlog import Record
from common.testing.eventually import eventually
from tests.integration.exactly_once.clients import CLIENTS
from tests.integration.exactly_once.lab import OUTPUTS, WITHIN, Lab, Worker
from tests.integration.exactly_once.stock import StockWorker


class Remote:
    """The end that gives the orders. A context manager: leaving it kills the process."""

    def __init__(self, client: str, lab: Lab, member: str) -> None:
        arguments = [client, lab.proxy.bootstrap, lab.source, lab.group, member, lab.target]
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> "Remote":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def say(self, order: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()

    def ask(self, order: str) -> str:
        assert self._process.stdout
        self.say(order)
        return self._process.stdout.readline().strip()

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


def obey(worker: Worker, target: str, order: str) -> str:
    match order:
        case "poll":
            eventually(lambda: worker.poll(0.1, 1).records, within=WITHIN)
            return "polled"
        case "notice":
            if isinstance(worker, StockWorker):
                eventually(worker.generation, lambda generation: generation < 0, within=WITHIN)
            return "noticed"
        case _:
            try:
                with worker.transaction() as transaction:
                    for partition in OUTPUTS:
                        transaction.send(Record(target, "key", b"0#0", partition=partition))
                return "committed"
            except LogError as error:
                return type(error).__name__


if __name__ == "__main__":
    name, bootstrap, source, group, member, target = sys.argv[1:]
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # the answers are on standard output
    worker = CLIENTS[name](bootstrap, source, group, member)
    for line in sys.stdin:
        print(obey(worker, target, line.strip()), flush=True)
