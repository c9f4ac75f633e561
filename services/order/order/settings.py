"""What the order service is told from outside."""

from dataclasses import dataclass

from common.settings import Processing


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Processing):
    """`*_seconds`: the saga's patience with each forward step. `inventory_policy`: how the inventory is asked, where that is to
    differ (see common.resilience.policy)."""

    inventory_url: str
    inventory_policy: str = ""
    reserve_seconds: int = 10
    authorize_seconds: int = 10
