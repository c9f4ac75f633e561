"""Read your own writes: a token names the command that a client has sent, a query waits until the read model has folded it.

The token is opaque to clients. It is a position, so it needs no secret and no state; a forged one only makes its bearer wait.
(Terry et al., "Session Guarantees for Weakly Consistent Replicated Data", 1994.)
"""

import asyncio
import base64
import binascii
import enum
from dataclasses import dataclass

from starlette.requests import Request

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


class Level(enum.Enum):
    """How fresh a read has to be; see freshness.py."""

    EVENTUAL = "eventual"
    SESSION = "session"
    STRONG = "strong"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller asks of a read's freshness."""

    token: Token | None = None
    level: Level = Level.SESSION

    @property
    def waits(self) -> bool:
        """Whether what is at hand may not be fresh enough, so that no cache may answer."""
        return self.level is Level.STRONG or (self.level is Level.SESSION and self.token is not None)

    @classmethod
    def by(cls, request: Request) -> "Asked":
        """Raises Problem 400 for a level or a token that there never was."""
        token = parameters.consistency_token(request)
        level = parameters.consistency_level(request)
        return cls(Token.parse(token) if token else None, Level(level) if level else Level.SESSION)


AT_ONCE = Asked()


async def wait_for(view: View, token: Token, within: float = PATIENCE) -> None:
    """Return when the read model has folded the command of `token`. Raises Problem 503 with Retry-After when it is late."""
    name = f"{topology.commands(token.service)}/{token.partition}"
    deadline = asyncio.get_running_loop().time() + within
    while (await view.positions()).get(name, 0) <= token.offset:
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise late()
        await view.changed(name, left)


def late() -> Problem:
    return Problem(503, "read-model-late", "The read model is not that far yet; ask again.", {"Retry-After": "1"})
