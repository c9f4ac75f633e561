"""What the payment service is told from outside."""

from dataclasses import dataclass

from common.settings import Processing


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Processing):
    provider_url: str
