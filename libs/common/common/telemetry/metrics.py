"""Every metric of a process, declared once: its name, unit, labels and meaning. `/metrics` on the plain port shows them all.

Values that somebody holds anyway are read when they are asked for (`set_function`), so that they cost nothing in between.
"""

from prometheus_client import Counter, Gauge, Histogram

CERTIFICATE_EXPIRES = Gauge("orderly_certificate_expires", "When our certificate ends, in seconds since 1970.")
CERTIFICATE_ALARM = Gauge("orderly_certificate_alarm", "1 while new certificate files cannot be used.")
HANDSHAKES_REFUSED = Counter(
    "orderly_handshakes_refused", "TLS handshakes that failed, by the end that we were.", ["side"]
)
CALLS_DENIED = Counter(
    "orderly_calls_denied", "Requests of other services that the call graph does not allow.", ["who"]
)
UPSTREAM_REQUESTS = Counter(
    "orderly_upstream_requests",
    "Requests to another service: answered (whatever the status), late, failed, refused by a guard before being sent.",
    ["upstream", "outcome"],
)
UPSTREAM_SECONDS = Histogram(
    "orderly_upstream_request_seconds",
    "From the request to the whole answer, all attempts and pauses included.",
    ["upstream"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
)
UPSTREAM_REPEATS = Counter(
    "orderly_upstream_repeats",
    "What was asked once more: a retry after a failure, a hedge when late; over_budget: not asked, to spare it.",
    ["upstream", "kind"],
)
UPSTREAM_IN_FLIGHT = Gauge("orderly_upstream_in_flight", "Requests inside the bulkhead.", ["upstream"])
UPSTREAM_WAITING = Gauge("orderly_upstream_waiting", "Requests in line before the bulkhead.", ["upstream"])
UPSTREAM_BREAKER = Gauge(
    "orderly_upstream_breaker", "Circuit breaker: 0 closed, 1 half-open, 2 open; -1 none.", ["upstream"]
)
UPSTREAM_ENDPOINTS = Gauge(
    "orderly_upstream_endpoints", "Endpoints that are usable, unready or ejected.", ["upstream", "state"]
)
GATEWAY_LIMIT = Gauge(
    "orderly_gateway_concurrency_limit", "Requests that the gateway has in work at once, by latency.", ["upstream"]
)
GATEWAY_SHED = Counter(
    "orderly_gateway_shed", "Requests refused because too many were in work and in line.", ["upstream"]
)
LOG_DEGRADED = Gauge(
    "orderly_log_degraded",
    "1: Kafka's transactions share epochs, by ORDERLY_KAFKA_DEGRADED; a delayed request may tear one.",
)
FAULT_HITS = Counter("orderly_fault_hits", "How often a fault switch struck.", ["switch"])
CACHE_READS = Counter(
    "orderly_cache_reads",
    "hit; miss: loaded; early: loaded before it was missed; stale: the source was away; bypass: had to be fresher.",
    ["cache", "outcome"],
)
CACHE_AGE = Histogram(
    "orderly_cache_age_seconds",
    "How long ago what was answered was so at the source: the staleness that callers see.",
    ["cache"],
    buckets=(0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 30.0),
)
