"""What the registry is told from outside."""

from dataclasses import dataclass

from common.settings import Listening


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Listening):
    """`registry_learning_ms`: after its start it waits so long for heartbeats before it tells anybody who is there."""

    registry_learning_ms: int = 1_500
