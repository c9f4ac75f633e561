"""What the gateway is told from outside."""

from dataclasses import dataclass
from pathlib import Path

from common.settings import Listening


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Listening):
    """`gateway_url` is how callers reach this gateway: the built-in issuer's name. `oidc_issuer` replaces that issuer.
    `issuer_keys`: a folder with its signing keys that somebody else keeps, a mounted secret for one; without it they are in the
    data folder, and are made and rotated there. `console_redirects`: where who logs in to the web console may be sent back to,
    separated by commas.
    `*_policy`: how a service is asked, where that is to differ (see common.resilience.policy). `shedding`: refuse what would
    only queue. `edge_certificate` and `edge_key` make its own API HTTPS; without them it is plain, for loopback or behind an
    ingress.

    `openapi`: whether /openapi.json is served; turn it off in production. `regions`: those from which orders are taken,
    separated by commas; everywhere without.

    `redis_url`: what several gateways share, limits and the cache, is there; without it each has its own. `cache_urls`: several
    Redis for the cache alone, separated by commas. `catalog_reads` and `catalog_writes`: the cache's strategies, or `off`."""

    data: Path
    gateway_url: str
    order_url: str
    payment_url: str
    inventory_url: str
    order_policy: str = ""
    payment_policy: str = ""
    inventory_policy: str = ""
    oidc_issuer: str | None = None
    oidc_audience: str = "orderly"
    issuer_keys: Path | None = None
    console_redirects: str = ""
    openapi: bool = True
    regions: str = ""
    rate_limit: bool = True
    redis_url: str = ""
    redis_ca_file: Path | None = None
    redis_password_file: Path | None = None
    cache_urls: str = ""
    catalog_reads: str = "read-through"
    catalog_writes: str = "write-through"
    catalog_fresh_ms: int = 1_000
    shedding: bool = True
    edge_certificate: Path | None = None
    edge_key: Path | None = None
