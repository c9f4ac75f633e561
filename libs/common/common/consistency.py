"""Read your own writes: a token names the command that a client has sent, a query waits until the read model has folded it.

The token is opaque to clients. It is a position, so it needs no secret and no state; a forged one only makes its bearer wait.
(Terry et al., "Session Guarantees for Weakly Consistent Replicated Data", 1994.)
"""

import asyncio
import base64
import binascii
from dataclasses import dataclass

from common import parameters, topology
from common.eventlog import Position
from common.problems import Problem
from common.readmodel import View

PATIENCE = 5.0  # seconds a query waits before it says "later"


@dataclass(frozen=True, slots=True)
class Token:
    service: str
    partition: int
    offset: int

    @classmethod
    def at(cls, position: Position) -> "Token":
        return cls(position.topic.partition(".")[0], position.partition, position.offset)

    @classmethod
    def parse(cls, text: str) -> "Token":
        """Raises Problem 400 for what was never a token of ours."""
        try:
            service, partition, offset = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split(".")
            if service not in topology.PROCESSING_SERVICES or len(text) > 100 or not offset.isdecimal():
                raise ValueError
            return cls(service, int(partition), int(offset))
        except (ValueError, binascii.Error, UnicodeError):
            raise parameters.invalid_token() from None

    def __str__(self) -> str:
        text = f"{self.service}.{self.partition}.{self.offset}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


async def wait_for(view: View, token: Token, within: float = PATIENCE) -> None:
    """Return when the read model has folded the command of `token`. Raises Problem 503 with Retry-After when it is late."""
    name = f"{topology.commands(token.service)}/{token.partition}"
    deadline = asyncio.get_running_loop().time() + within
    while (await view.positions()).get(name, 0) <= token.offset:
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise Problem(
                503, "read-model-late", "The read model has not seen this write yet; ask again.", {"Retry-After": "1"}
            )
        await view.changed(name, left)
