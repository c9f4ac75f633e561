"""Does to a running platform what a plan says. Only what its own supervisor has started is ever hit."""

import asyncio
import signal

from redis import Redis

from orderly import runfile
from orderly.folder import Folder
from orderly.processes import Identity
from tests.faults.plan import Fault, Round
from tests.faults.poison import Poisoner


class Trouble:
    """`round` returns when its faults are over and calm has passed; cancelled, it ends the faults at once."""

    def __init__(self, folder: Folder, poisoner: Poisoner) -> None:
        self._folder = folder
        self._poisoner = poisoner

    async def round(self, round: Round) -> None:
        await asyncio.gather(*(self._strike(fault) for fault in round.faults), asyncio.sleep(round.seconds))

    async def _strike(self, fault: Fault) -> None:
        match fault.kind:
            case "kill":
                self._send(fault.victim, signal.SIGKILL)
            case "freeze":
                frozen = self._send(fault.victim, signal.SIGSTOP)
                try:
                    await asyncio.sleep(fault.lasts)
                finally:
                    for process in frozen:
                        process.send(signal.SIGCONT)
            case "flush":
                await asyncio.to_thread(self._flush)
            case "poison":
                await asyncio.to_thread(self._poisoner.poison)
            case "repeat":
                await asyncio.to_thread(self._poisoner.repeat)
            case kind:
                raise ValueError(f"{kind}: nobody knows how to do this")

    def _send(self, name: str, number: signal.Signals) -> list[Identity]:
        """To the process of this name; it may be down at the moment, and then nothing is hit."""
        run = runfile.read(self._folder)
        hit = [it.process for it in (run.services if run else ()) if it.name == name and it.process is not None]
        for process in hit:
            process.send(number)
        return hit

    def _flush(self) -> None:
        run = runfile.read(self._folder)
        assert run is not None
        with Redis.from_url(run.servers.redis_url) as redis:
            redis.flushall()
