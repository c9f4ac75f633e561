"""What the gateway is told from outside."""

from dataclasses import dataclass
from pathlib import Path

from common.settings import Listening


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Listening):
    """`gateway_url` is how callers reach this gateway: the built-in issuer's name. `oidc_issuer` replaces that issuer."""

    data: Path
    gateway_url: str
    order_url: str
    payment_url: str
    inventory_url: str
    oidc_issuer: str | None = None
    oidc_audience: str = "orderly"
    rate_limit: bool = True
