"""What the registry is told from outside."""

from dataclasses import dataclass

from common.settings import Listening


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Listening):
    """`registry_learning_ms`: after its start it waits so long for heartbeats before it tells anybody who is there. A lease by
    default: whoever was there before the restart is heard by then, or would be forgotten anyway."""

    registry_learning_ms: int = 5_000
