"""Which service tells of which edge by which signal: one table, and every row of it is a test."""

from typing import NamedTuple

GOOD, SLOW, FAILING = "tok_ok", "tok_slow", "tok_error"


class Edge(NamedTuple):
    """`said`: the name of a span, the event of a log line, or a histogram whose exemplar leads to a trace. `card`: of the order
    that makes it happen."""

    service: str
    signal: str
    kind: str
    said: str
    card: str = GOOD


EDGES = (
    Edge("gateway", "trace", "server", "POST /v1/orders"),
    Edge("gateway", "trace", "client", "POST order"),
    Edge("order", "trace", "server", "POST /v1/orders"),
    Edge("order", "trace", "client", "get order"),
    Edge("order", "trace", "producer", "send order.commands"),
    Edge("order", "trace", "consumer", "process order.commands"),
    Edge("order", "trace", "internal", "timer StepDue", SLOW),
    Edge("order", "trace", "consumer", "project order"),
    Edge("inventory", "trace", "consumer", "process inventory.commands"),
    Edge("inventory", "trace", "consumer", "project inventory"),
    Edge("payment", "trace", "consumer", "process payment.commands"),
    Edge("payment", "trace", "internal", "effect authorize"),
    Edge("payment", "trace", "internal", "timer AttemptDue", FAILING),
    Edge("payment", "trace", "client", "POST provider"),
    Edge("payment", "trace", "client", "GET provider", FAILING),
    Edge("payment", "trace", "internal", "reply ProviderAnswered"),
    Edge("payment", "trace", "consumer", "project payment"),
    Edge("provider", "trace", "server", "POST /v1/authorizations"),
    Edge("provider", "trace", "server", "GET /v1/operations/{key:path}", FAILING),
    Edge("gateway", "log", "request", "answered"),
    Edge("order", "log", "request", "answered"),
    Edge("order", "log", "acceptance", "order accepted"),
    Edge("order", "log", "decision", "decided"),
    Edge("inventory", "log", "decision", "decided"),
    Edge("payment", "log", "decision", "decided"),
    Edge("payment", "log", "effect", "effect"),
    Edge("provider", "log", "request", "answered"),
    Edge("gateway", "metric", "request", "orderly_http_request_seconds"),
    Edge("order", "metric", "request", "orderly_http_request_seconds"),
    Edge("provider", "metric", "request", "orderly_http_request_seconds"),
    Edge("order", "metric", "saga", "orderly_saga_seconds"),
    Edge("order", "metric", "step", "orderly_saga_step_seconds"),
)
