"""What the simulated provider is told from outside, its demo cards among it."""

from dataclasses import dataclass
from pathlib import Path

from common.clock import SECOND
from common.settings import Listening


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Listening):
    """`provider_slow_ms` and `provider_hesitant_ms`: what an authorization takes with `tok_slow` and `tok_refund_fails`."""

    data: Path
    provider_slow_ms: int = 15 * SECOND
    provider_hesitant_ms: int = 1 * SECOND
