"""Every metric of a process, declared once: its name, unit, labels and meaning. `/metrics` on the plain port shows them all.

Names are those of the Prometheus conventions (https://prometheus.io/docs/practices/naming/): the unit at the end, `_total` for
what only grows. No label takes a value that a caller chooses: LABELS says what bounds each. Which service, and which process of
it, is added by whoever scrapes (`job`, `instance`). Values that somebody holds anyway are read when they are asked for
(`set_function`), so that they cost nothing in between. docs/metrics.md is made from this file by `make observability`.
"""

import prometheus_client
from prometheus_client import Counter, Gauge, Histogram, Info

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series for each counter, for nobody

LABELS = {
    "route": "the templates of the API's paths, and `unmatched`",
    "method": "those of HTTP, and `other`",
    "code": "the status codes of our own answers, and `none` where there was none",
    "outcome": "named in the meaning",
    "cause": "`refused` `declined` `silence` `customer`, and empty where nothing was undone",
    "step": "the steps of the saga",
    "consumer": "`processor` `projector`",
    "effect": "named in the meaning",
    "loop": "the threads of a process",
    "law": "L1 to L14",
    "upstream": "the services",
    "kind": "named in the meaning",
    "state": "`usable` `unready` `ejected`",
    "side": "`server` `client`",
    "who": "the services, and empty for nobody",
    "action": "those of the policies",
    "switch": "the fault switches",
    "cache": "the caches of the wiring",
}

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SLOW = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

BUILD = Info("orderly_build", "Which program runs here: its `version`, and that of `python`.")

HTTP_REQUESTS = Counter("orderly_http_requests", "Requests, by their route.", ["route", "method", "code"])
HTTP_SECONDS = Histogram(
    "orderly_http_request_seconds",
    "Until the answer begins. Requests that were asked to wait for an outcome are not timed: being slow is their purpose.",
    ["route", "method"],
    buckets=_FAST,
)
HTTP_IN_WORK = Gauge("orderly_http_requests_in_work", "Requests that are not answered yet, streams included.")

SAGAS_STARTED = Counter("orderly_sagas_started", "Orders whose saga began.")
SAGAS_FINISHED = Counter(
    "orderly_sagas_finished", "Orders with a verdict: confirmed or cancelled, and what for.", ["outcome", "cause"]
)
SAGAS_COMPENSATED = Counter(
    "orderly_sagas_compensated", "Sagas that turned back, in which step, and what for.", ["step", "cause"]
)
SAGA_SECONDS = Histogram(
    "orderly_saga_seconds",
    "From the acceptance of an order to its verdict, all queues included: confirmed or cancelled.",
    ["outcome"],
    buckets=_SLOW,
)
SAGA_STEP_SECONDS = Histogram(
    "orderly_saga_step_seconds", "How long a saga stayed in a step that it left.", ["step"], buckets=_SLOW
)
SAGAS_IN_FLIGHT = Gauge("orderly_sagas_in_flight", "Sagas that are in this step now.", ["step"])
SAGA_OLDEST = Gauge(
    "orderly_saga_oldest_seconds", "For how long the saga that has been longest in this step has been there.", ["step"]
)

LOG_TRANSACTIONS = Counter(
    "orderly_log_transactions",
    "Of a processor, empty ones not counted: committed; aborted before the end; fenced: another owns the partitions; unknown.",
    ["outcome"],
)
LOG_TRANSACTION_RECORDS = Histogram(
    "orderly_log_transaction_records",
    "Records in a committed transaction.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
)
LOG_TRANSACTION_SECONDS = Histogram(
    "orderly_log_transaction_seconds", "From the end of the work to the word that it is committed.", buckets=_FAST
)
LOG_APPENDS = Counter("orderly_log_appends", "Appends outside of transactions: written, or failed.", ["outcome"])
LOG_APPEND_SECONDS = Histogram("orderly_log_append_seconds", "Until the log has acknowledged an append.", buckets=_FAST)
LOG_DEGRADED = Gauge(
    "orderly_log_degraded",
    "1: Kafka's transactions share epochs, by ORDERLY_KAFKA_DEGRADED; a delayed request may tear one.",
)
LOG_COPIES_MISSING = Gauge(
    "orderly_log_copies_missing", "Copies of Kafka's partitions that are behind or away, as the last audit found."
)
INPUTS = Counter(
    "orderly_processor_inputs", "Inputs that a processor has committed: changed something, or nothing.", ["effect"]
)
DEAD_LETTERS = Counter("orderly_dead_letters", "Inputs that could not be handled and were set aside.")
PARTITIONS_OWNED = Gauge("orderly_processor_partitions", "Partitions that this process owns and has restored.")
LAG_RECORDS = Gauge(
    "orderly_consumer_lag_records",
    "Records that are in the log and not done yet, of all partitions, whoever owns them. Looked at every few seconds.",
    ["consumer"],
)
LAG_SECONDS = Gauge(
    "orderly_consumer_lag_seconds",
    "All that was in the log so long ago is done: an upper bound. For a projector: how stale its read model is at most.",
    ["consumer"],
)
PROJECTED = Counter("orderly_projection_records", "Records that were folded into the read model.")
PROJECTION_REBUILDS = Counter(
    "orderly_projection_rebuilds",
    "Read models that had to be folded anew, from the first event: they were lost, or never were.",
)
LOOP_FAILURES = Counter("orderly_loop_failures", "Steps of a thread that failed and are tried again.", ["loop"])

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
UPSTREAM_LIMIT = Gauge(
    "orderly_upstream_limit", "Requests that the bulkhead lets in at once; 0: any number.", ["upstream"]
)
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
FAULT_HITS = Counter("orderly_fault_hits", "How often a fault switch struck.", ["switch"])

CERTIFICATE_EXPIRES = Gauge(
    "orderly_certificate_expires_timestamp_seconds", "When our certificate ends, in seconds since 1970."
)
CERTIFICATE_ALARM = Gauge("orderly_certificate_alarm", "1 while new certificate files cannot be used.")
HANDSHAKES_REFUSED = Counter(
    "orderly_handshakes_refused", "TLS handshakes that failed, by the end that we were.", ["side"]
)
CALLS_DENIED = Counter(
    "orderly_calls_denied", "Requests of other services that the call graph does not allow.", ["who"]
)
POLICY_DECISIONS = Counter(
    "orderly_policy_decisions",
    "What the policies said, at the door and on the thing: allowed, denied.",
    ["action", "outcome"],
)

LAW_VIOLATIONS = Gauge("orderly_law_violations", "Violations of a law that the last audit found.", ["law"])
LAW_UNKNOWN = Gauge("orderly_law_unknown", "1 while a law cannot be judged, because something is under way.", ["law"])
AUDITED = Gauge("orderly_audit_timestamp_seconds", "When the last audit ended, in seconds since 1970; 0: never, here.")

EVENT_LOOP_LAG = Histogram(
    "orderly_event_loop_lag_seconds",
    "How late the event loop does what is due, looked at once a second.",
    buckets=_FAST,
)
POOL_LAG = Histogram(
    "orderly_thread_pool_lag_seconds", "How long one waits for a worker thread, looked at once a second.", buckets=_FAST
)
