"""What the payment service is told from outside."""

from dataclasses import dataclass

from common.settings import Processing


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Processing):
    """`provider_policy`: how the provider is asked, where that is to differ (see common.resilience.policy)."""

    provider_url: str
    provider_policy: str = ""
