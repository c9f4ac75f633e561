"""What the order service is told from outside."""

from dataclasses import dataclass

from common.settings import Processing


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Processing):
    """`*_seconds`: the saga's patience with each forward step. `inventory_policy`: how the inventory is asked, where that is to
    differ (see common.resilience.policy). `api_replicas`: processes that accept orders."""

    inventory_url: str
    inventory_policy: str = ""
    api_replicas: int = 1
    reserve_seconds: int = 10
    authorize_seconds: int = 10
