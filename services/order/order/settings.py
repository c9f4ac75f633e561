"""What the order service is told from outside."""

from dataclasses import dataclass

from common.settings import Processing


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Processing):
    """`*_seconds`: the saga's patience with each forward step."""

    inventory_url: str
    reserve_seconds: int = 10
    authorize_seconds: int = 10
