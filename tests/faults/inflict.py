"""Does to a running platform what a plan says. Only processes that its own supervisor has started are ever hit."""

import asyncio
import signal
from collections.abc import Sequence

from common.topology import GATEWAY, INVENTORY, ORDER, PAYMENT, PROVIDER
from orderly import runfile
from orderly.folder import Folder
from orderly.processes import Identity
from tests.faults.plan import Card, Fault, Round
from tests.faults.poison import Poisoner

SERVICES = (GATEWAY, ORDER, PAYMENT, INVENTORY, PROVIDER)


def cards(lease: float) -> Sequence[Card]:
    """What may be dealt on the embedded engine. `lease`: seconds of silence after which an owner of partitions is fenced."""
    freeze = (1.2 * lease, 2.0 * lease)
    return [
        *(Card("kill", name, name) for name in SERVICES),
        *(Card("freeze", name, name, freeze) for name in SERVICES),
        Card("poison", "all topics", "topics"),
        Card("repeat", "commands", "topics"),
    ]


class Trouble:
    """`strike` returns when the fault is over; cancelled, it ends the fault at once."""

    def __init__(self, folder: Folder, poisoner: Poisoner) -> None:
        self._folder = folder
        self._poisoner = poisoner

    async def round(self, round: Round) -> None:
        await asyncio.gather(*(self._strike(fault) for fault in round.faults), asyncio.sleep(round.seconds))

    async def _strike(self, fault: Fault) -> None:
        match fault.kind:
            case "kill":
                self._send(fault.target, signal.SIGKILL)
            case "freeze":
                frozen = self._send(fault.target, signal.SIGSTOP)
                try:
                    await asyncio.sleep(fault.lasts)
                finally:
                    for process in frozen:
                        process.send(signal.SIGCONT)
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
