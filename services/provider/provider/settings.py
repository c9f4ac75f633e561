"""What the simulated provider is told from outside, its faults among it."""

from dataclasses import dataclass
from pathlib import Path

from common.clock import SECOND
from common.settings import Listening


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Listening):
    """`provider_slow_ms` and `provider_hesitant_ms`: what an authorization takes with `tok_slow` and `tok_refund_fails`.

    The others hit every card, and are off: extra latency, and per cent of the operations that fail with 500 before
    anything happened, or whose answer is lost after it did.
    """

    data: Path
    provider_slow_ms: int = 15 * SECOND
    provider_hesitant_ms: int = 1 * SECOND
    provider_latency_ms: int = 0
    provider_error_percent: int = 0
    provider_lost_percent: int = 0
