"""Which action a route is, for every route of every service. What is not here cannot be served (gate.py; the gateway's door).

The names are those of the schema. Of `INTERNAL` ones only services ask, and which of them asks which is told by the call graph.
"""

from collections.abc import Mapping

from common.topology import GATEWAY, INVENTORY, ORDER, PAYMENT, PROVIDER, REGISTRY

_ORDERS = {
    "POST /v1/orders": "place_order",
    "GET /v1/orders": "list_orders",
    "GET /v1/orders/{order_id}": "show_order",
    "GET /v1/orders/{order_id}/timeline": "show_timeline",
    "GET /v1/orders/{order_id}/stream": "stream_timeline",
    "POST /v1/orders/{order_id}/cancellation": "cancel_order",
}
_PRODUCTS = {
    "GET /v1/products": "list_products",
    "GET /v1/products/{sku}": "show_product",
    "PUT /v1/products/{sku}": "put_product",
    "POST /v1/products/{sku}/receipts": "receive_stock",
}
_PAYMENTS = {"GET /v1/payments/{order_id}": "show_payment"}
_AUDIT = {"GET /v1/audit": "read_audit"}
_OPEN = {
    "POST /oauth/token": "issue_token",
    "POST /oauth/revoke": "revoke_token",
    "GET /oauth/authorize": "show_login",
    "POST /oauth/authorize": "log_in",
    "GET /.well-known/oauth-authorization-server": "read_metadata",
    "GET /.well-known/openid-configuration": "read_discovery",
    "GET /.well-known/jwks.json": "read_keys",
    "GET /openapi.json": "read_openapi",
}

ACTIONS: Mapping[str, Mapping[str, str]] = {
    GATEWAY: {**_ORDERS, **_PRODUCTS, **_PAYMENTS, **_AUDIT, **_OPEN},
    ORDER: _ORDERS,
    PAYMENT: _PAYMENTS,
    INVENTORY: {**_PRODUCTS, "GET /internal/catalog/changes": "follow_catalog"},
    PROVIDER: {
        "POST /v1/authorizations": "authorize_card",
        "POST /v1/authorizations/{reference}/capture": "capture_card",
        "POST /v1/authorizations/{reference}/void": "void_card",
        "POST /v1/authorizations/{reference}/refund": "refund_card",
        "GET /v1/operations/{key:path}": "find_operation",
        "GET /v1/ledger": "read_ledger",
    },
    REGISTRY: {
        "PUT /v1/services/{service}/{instance}": "register",
        "DELETE /v1/services/{service}/{instance}": "leave",
        "GET /v1/services/{service}": "find_service",
    },
}

INTERNAL = frozenset({"follow_catalog", *ACTIONS[PROVIDER].values(), *ACTIONS[REGISTRY].values()})


def action_of(service: str, route: str) -> str:
    """`route` in the form `GET /v1/orders/{order_id}`. Raises ValueError where it has no action."""
    try:
        return ACTIONS[service][route]
    except KeyError:
        raise ValueError(f"{service}: {route} has no action; give it one in security/policy/actions.py") from None
