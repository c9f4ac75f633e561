"""What the order service is told from outside."""

from dataclasses import dataclass

from common.settings import Processing


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Processing):
    """`*_seconds`: the saga's patience with each forward step. `inventory_policy`: how the inventory is asked, where that is to
    differ (see common.resilience.policy). `api_replicas`: processes that accept orders. `open_orders`:
    so many of one customer at once (see quota.py), unless `rate_limit` is off."""

    inventory_url: str
    inventory_policy: str = ""
    api_replicas: int = 1
    open_orders: int = 100
    rate_limit: bool = True
    reserve_seconds: int = 10
    authorize_seconds: int = 10
