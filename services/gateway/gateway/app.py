"""Wires the gateway: the one place that knows which issuer it trusts and where the services are."""

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from common import faults, redis_url
from common.cache import Loaded, reading, writing
from common.cache.lifetime import Lifetime
from common.cache.loader import Loader
from common.cache.stores import open_cache
from common.clock import system_clock
from common.errors import SettingsError
from common.health import Health
from common.http_client import Answer, Upstream
from common.resilience.policy import Policy
from common.runtime import Process
from common.security.credentials import Credentials
from common.security.hop import Minter
from common.security.identity import Identity
from common.security.keyring import KeyRing
from common.security.keys import IssuerKeys
from common.security.tokens import Verifier
from common.topology import GATEWAY, INVENTORY, ORDER, PAYMENT
from gateway import api
from gateway.accounts import Accounts
from gateway.acts import Acts
from gateway.admission import Admission
from gateway.catalog import Catalog
from gateway.codes import Codes
from gateway.https import Https
from gateway.issuer import DemoIssuer
from gateway.limits import Limit, RateLimit
from gateway.oauth import OAuth
from gateway.proxy import Proxy
from gateway.settings import Settings
from gateway.shedding import Edge
from gateway.spent import Shelf, Spent

REQUESTS_A_SECOND = 100.0  # for each caller
REQUESTS_AT_ONCE = 200
OURSELVES = Identity("service:gateway")


def build(settings: Settings) -> Process:
    credentials = Credentials.of(GATEWAY, settings.certificates)
    https = _https(settings)
    context, background = (https.context, (https.watch,)) if https else (None, ())
    health = Health()
    limit, close_limit = _limit(settings)
    asked = {
        ORDER: (settings.order_url, settings.order_policy),
        PAYMENT: (settings.payment_url, settings.payment_policy),
        INVENTORY: (settings.inventory_url, settings.inventory_policy),
    }
    policy = Policy(zone=settings.zone)
    switches = faults.switches_of(GATEWAY, settings.data, settings)
    calls = faults.calls(switches)
    upstreams = {name: Upstream(name, url, policy.but(but), calls, credentials) for name, (url, but) in asked.items()}
    edges = {name: Edge(name, time.monotonic) for name in upstreams} if settings.shedding else {}
    minter = Minter(credentials)
    catalog = _catalog(settings, upstreams[INVENTORY], edges.get(INVENTORY), minter)
    proxy = Proxy(upstreams, edges, minter, catalog)
    background = (*background, *((catalog.start,) if catalog else ()))
    regions = frozenset(filter(None, settings.regions.replace(" ", "").split(",")))
    acts = Acts(settings.audit)
    if settings.oidc_issuer is not None:
        outside = IssuerKeys(settings.oidc_issuer, system_clock)
        health.ready["issuer's keys"] = outside.check
        verifier = Verifier(outside, settings.oidc_issuer, settings.oidc_audience, system_clock)
        admission = Admission(verifier, limit, regions)
        app = api.build(admission, proxy, acts, settings.oidc_issuer, described=settings.openapi)
        background, drain = (*background, outside.start), (proxy.close, *close_limit, outside.close)
    else:
        issuer = _issuer(settings, limit, regions)
        app = api.build(issuer.admission, proxy, acts, issuer, described=settings.openapi)
        background, drain = (*background, issuer.start), (proxy.close, *close_limit, issuer.close)
    return Process(GATEWAY, health, credentials, app, context, (), background, drain, switches=switches)


def _issuer(settings: Settings, limit: Limit | None, regions: frozenset[str]) -> OAuth:
    url = settings.gateway_url.rstrip("/")
    kept = settings.issuer_keys is None
    ring = KeyRing(settings.issuer_keys or settings.data / GATEWAY / "keys", kept=kept)
    spent = Spent(_shelf(settings), system_clock)
    verifier = Verifier(ring, url, settings.oidc_audience, system_clock, spent.__contains__)
    issuer = DemoIssuer(url, settings.oidc_audience, ring, system_clock)
    accounts = Accounts([it for it in settings.console_redirects.split(",") if it] or [f"{url}/console/callback"])
    codes = Codes(url, ring, spent, system_clock)
    return OAuth(issuer, accounts, codes, Admission(verifier, limit, regions), verifier, spent, ring)


def _shelf(settings: Settings) -> Shelf:
    if not settings.redis_url:
        from gateway.spent_sqlite import SqliteShelf

        return SqliteShelf(settings.data / GATEWAY / "spent.db")
    from gateway.spent_redis import RedisShelf

    return RedisShelf(*_redis(settings, settings.redis_url))


def _https(settings: Settings) -> Https | None:
    match settings.edge_certificate, settings.edge_key:
        case None, None:
            return None
        case Path() as certificate, Path() as key:
            return Https(certificate, key)
        case _:
            raise SettingsError("ORDERLY_EDGE_CERTIFICATE and ORDERLY_EDGE_KEY come together")


def _limit(settings: Settings) -> tuple[Limit | None, Sequence[Callable[[], Awaitable[None]]]]:
    """With what closes it."""
    if not settings.rate_limit:
        return None, ()
    local = RateLimit(REQUESTS_A_SECOND, REQUESTS_AT_ONCE, time.monotonic)
    if not settings.redis_url:
        return local, ()
    (url,) = _redis(settings, settings.redis_url)
    from gateway.shared_limit import SharedLimit  # here, because without Redis nobody needs its client

    shared = SharedLimit(url, local)
    return shared, (shared.close,)


def _redis(settings: Settings, urls: str) -> Sequence[str]:
    files = {"ca_file": settings.redis_ca_file, "password_file": settings.redis_password_file}
    return [redis_url.complete(url, **files) for url in urls.split(",") if url]


def _catalog(settings: Settings, inventory: Upstream, edge: Edge | None, minter: Minter) -> Catalog | None:
    if settings.catalog_reads == "off":
        return None
    read = reading.STRATEGIES.get(settings.catalog_reads)
    write = writing.STRATEGIES.get(settings.catalog_writes)
    if read is None or write is None:
        known = f"ORDERLY_CATALOG_READS: off, {', '.join(reading.STRATEGIES)}; _WRITES: {', '.join(writing.STRATEGIES)}"
        raise SettingsError(known)

    async def ask(path: str) -> Answer:
        async with edge.admitted() if edge else nullcontext():
            return await inventory.request("GET", path, minter.headers(OURSELVES, INVENTORY))

    async def load(path: str) -> Loaded:
        return await catalog.load(path)

    lifetime = Lifetime(fresh=settings.catalog_fresh_ms, negative=settings.catalog_fresh_ms)
    urls = _redis(settings, settings.cache_urls or settings.redis_url)
    loader = Loader(open_cache(urls, "orderly:catalog:", lifetime), load, lifetime)
    catalog = Catalog(
        read("catalog", loader),
        write(loader),
        ask,
        lambda path: inventory.stream(path, minter.headers(OURSELVES, INVENTORY)),
    )
    return catalog
