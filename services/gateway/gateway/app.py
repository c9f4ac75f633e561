"""Wires the gateway: the one place that knows which issuer it trusts and where the services are."""

import time

from common import faults
from common.clock import system_clock
from common.health import Health
from common.http_client import Upstream
from common.resilience.policy import Policy
from common.runtime import Process
from common.security.keys import IssuerKeys, OwnKeys
from common.security.tokens import Verifier
from common.topology import GATEWAY, INVENTORY, ORDER, PAYMENT
from gateway import api
from gateway.admission import Admission
from gateway.issuer import DemoIssuer, load_key
from gateway.limits import RateLimit
from gateway.proxy import Proxy
from gateway.settings import Settings
from gateway.shedding import Edge

REQUESTS_A_SECOND = 100.0  # for each caller
REQUESTS_AT_ONCE = 200


def build(settings: Settings) -> Process:
    health = Health()
    limit = RateLimit(REQUESTS_A_SECOND, REQUESTS_AT_ONCE, time.monotonic) if settings.rate_limit else None
    policy = Policy(zone=settings.zone)
    switches = faults.switches_of(GATEWAY, settings.data, settings)
    calls = faults.calls(switches)
    upstreams = {
        ORDER: Upstream(ORDER, settings.order_url, policy.but(settings.order_policy), calls),
        PAYMENT: Upstream(PAYMENT, settings.payment_url, policy.but(settings.payment_policy), calls),
        INVENTORY: Upstream(INVENTORY, settings.inventory_url, policy.but(settings.inventory_policy), calls),
    }
    proxy = Proxy(upstreams, {name: Edge(name, time.monotonic) for name in upstreams} if settings.shedding else {})
    if settings.oidc_issuer is not None:
        outside = IssuerKeys(settings.oidc_issuer, system_clock)
        health.ready["issuer's keys"] = outside.check
        verifier = Verifier(outside, settings.oidc_issuer, settings.oidc_audience, system_clock)
        app = api.build(Admission(verifier, limit), proxy, None, settings.oidc_issuer)
        return Process(GATEWAY, health, api=app, drain=(proxy.close, outside.close), switches=switches)
    url = settings.gateway_url.rstrip("/")
    key = load_key(settings.data / GATEWAY / "issuer.pem")
    verifier = Verifier(OwnKeys([key]), url, settings.oidc_audience, system_clock)
    issuer = DemoIssuer(url, settings.oidc_audience, key, system_clock)
    app = api.build(Admission(verifier, limit), proxy, issuer, f"{url}/oauth/token")
    return Process(GATEWAY, health, api=app, drain=(proxy.close,), switches=switches)
