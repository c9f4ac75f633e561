"""Who may ask whom for what: the whole of the platform's HTTP between services, as plain data. What is not here is refused.

Enforced in each service (gate.py); network policies are generated from it. The gateway's own API is for the outside, and what
its callers may do there is told by its table of routes. Messages between services take the log, not HTTP.
"""

from collections.abc import Mapping, Sequence

from common.topology import GATEWAY, INVENTORY, ORDER, PAYMENT, PROVIDER, REGISTRY, VERIFIER

_REGISTER = ("PUT /v1/services/{service}/{instance}", "DELETE /v1/services/{service}/{instance}")
_FIND = "GET /v1/services/{service}"

CALLS: Mapping[tuple[str, str], Sequence[str]] = {
    (GATEWAY, ORDER): (
        "POST /v1/orders",
        "GET /v1/orders",
        "GET /v1/orders/{order_id}",
        "GET /v1/orders/{order_id}/timeline",
        "GET /v1/orders/{order_id}/stream",
        "POST /v1/orders/{order_id}/cancellation",
    ),
    (GATEWAY, INVENTORY): (
        "GET /v1/products",
        "GET /v1/products/{sku}",
        "PUT /v1/products/{sku}",
        "POST /v1/products/{sku}/receipts",
        "GET /internal/catalog/changes",
    ),
    (GATEWAY, PAYMENT): ("GET /v1/payments/{order_id}",),
    (ORDER, INVENTORY): ("GET /v1/products/{sku}",),
    (PAYMENT, PROVIDER): (
        "POST /v1/authorizations",
        "POST /v1/authorizations/{reference}/capture",
        "POST /v1/authorizations/{reference}/void",
        "POST /v1/authorizations/{reference}/refund",
        "GET /v1/operations/{key:path}",
    ),
    (VERIFIER, PROVIDER): ("GET /v1/ledger",),
    (GATEWAY, REGISTRY): (*_REGISTER, _FIND),
    (ORDER, REGISTRY): (*_REGISTER, _FIND),
    (PAYMENT, REGISTRY): (*_REGISTER, _FIND),
    (INVENTORY, REGISTRY): _REGISTER,
    (PROVIDER, REGISTRY): _REGISTER,
}


def callers(callee: str, route: str) -> frozenset[str]:
    """Which services may ask `callee` for this route, in the form `GET /v1/orders/{order_id}`."""
    return frozenset(caller for (caller, asked), routes in CALLS.items() if asked == callee and route in routes)


def neighbours(callee: str) -> frozenset[str]:
    """Which services may ask `callee` for anything."""
    return frozenset(caller for caller, asked in CALLS if asked == callee)
