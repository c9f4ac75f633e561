"""What happens to a process: frozen for longer than its place is kept, and killed in the middle of a transaction."""

import time

from common.testing.eventually import eventually
from common.testing.kafka_proxy import Api, Fault
from tests.integration.exactly_once.lab import MEMBER, WITHIN, Lab
from tests.integration.exactly_once.remote import Remote


def zombie(lab: Lab, client: str) -> str:
    """A takes an input and is frozen, B gets A's place and the input, then A wakes up and commits. Returns what A was told."""
    lab.put(1)
    with Remote(client, lab, "zombie") as remote:
        remote.ask("poll")
        remote.freeze()
        lab.attempt()
        remote.thaw()
        remote.ask("notice")
        return remote.ask("commit")


def killed(lab: Lab, client: str, *, restarted: bool) -> float:
    """kill -9 after the records are written and before the commit. Returns the seconds that read_committed readers stand still
    after it."""
    lab.put(1)
    lab.proxy.judge = lambda frame: Fault.CUT if frame.api == Api.TXN_OFFSET_COMMIT else Fault.PASS
    with Remote(client, lab, MEMBER) as remote:
        remote.ask("poll")
        remote.say("commit")
        eventually(lab.is_open, within=WITHIN)
    since = time.monotonic()
    lab.proxy.judge = lambda frame: Fault.PASS

    def stands_still() -> bool:
        if restarted:
            lab.work()
        return lab.is_open()

    eventually(stands_still, lambda still: not still, within=WITHIN)
    return time.monotonic() - since
