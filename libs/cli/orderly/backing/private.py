"""Private servers for tests and experiments: started, waited for, killed, frozen, started again, and never left behind."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from orderly import logfiles
from orderly.backing import kafka, redis
from orderly.child import Plan, spawn
from orderly.failure import Failure
from orderly.folder import Folder

ANSWERS_WITHIN = 90.0  # seconds; a loaded machine takes its time
STOPS_WITHIN = 10.0


class Server:
    """One process. It ends with the one that started it, however that ends."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._process, self._pipe = spawn(plan)

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, within: float = ANSWERS_WITHIN) -> None:
        """Until it answers. Raises Failure with the end of its log."""
        deadline = time.monotonic() + within
        while not self.plan.question.asked(1.0):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise Failure(f"{self.plan.name} does not answer", evidence=logfiles.tail(self.plan.log))
            time.sleep(0.05)

    def kill(self) -> None:
        """kill -9. Returns when it is gone."""
        self._process.kill()
        self._bury()

    def freeze(self) -> None:
        """When this returns, none of its threads works any more."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def ask_to_stop(self) -> None:
        self._process.terminate()
        self.thaw()

    def restart(self) -> None:
        """After `kill`. Returns when it answers."""
        self._process, self._pipe = spawn(self.plan)
        self.wait()

    def close(self) -> None:
        """In order; killed when that takes too long."""
        self.ask_to_stop()
        try:
            self._process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._bury()

    def _bury(self) -> None:
        self._process.wait()
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1


class Brokers:
    """A private Kafka of one or three nodes, numbered from 1."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = servers
        self.bootstrap = kafka.bootstrap([it.plan for it in servers])

    @classmethod
    def start(
        cls,
        folder: Path,
        count: int = 1,
        *,
        durable: bool = False,
        properties: Mapping[str, str] | None = None,
        format_arguments: Sequence[str] = (),
    ) -> "Brokers":
        """Returns when it serves. `properties` are for each node, `format_arguments` for StorageTool (SCRAM users)."""
        where = Folder(folder)
        where.make()
        plans = kafka.plans(where, count, durable=durable, more=properties, format_arguments=format_arguments)
        made = cls([Server(plan) for plan in plans])
        try:
            for server in made._servers:
                server.wait()
        except BaseException:
            made.stop()
            raise
        return made

    def node(self, number: int) -> Server:
        return self._servers[number - 1]

    def kill(self, number: int = 1) -> None:
        self.node(number).kill()

    def restart(self, number: int = 1) -> None:
        self.node(number).restart()

    def stop(self) -> None:
        """All at once: the last one alone would wait for a quorum."""
        for server in self._servers:
            server.ask_to_stop()
        for server in self._servers:
            server.close()


class RedisServer(Server):
    @classmethod
    def start(cls, folder: Path, settings: Mapping[str, str] | None = None) -> "RedisServer":
        """Returns when it answers. `settings` are those of redis.conf."""
        where = Folder(folder)
        where.make()
        made = cls(redis.plan(where, settings or {}))
        try:
            made.wait()
        except BaseException:
            made.close()
            raise
        return made

    @property
    def url(self) -> str:
        return redis.url(self.plan)
