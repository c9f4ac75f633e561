"""The reading side: how stale read models are, what was folded, and what the caches answer."""

from deploy.observability.dashboards.board import Board, Query, lines, number
from deploy.observability.dashboards.expressions import PROCESSING, RATE, per_second, quantile, share

READS = 'job="gateway",method="GET"'

BOARD = Board(
    "orderly-reads",
    "Orderly / CQRS and caches",
    "Staleness of the read models, and what caches in front of them do.",
    (
        number(
            "Stalest read model",
            "An upper bound of how far the stalest read model is behind the log.",
            "s",
            'max(orderly_consumer_lag_seconds{consumer="projector"})',
            bad=2,
        ),
        number(
            "Rebuilds",
            "Read models that were lost and had to be folded anew, in the time that is shown.",
            "short",
            "sum(increase(orderly_projection_rebuilds_total[$__range]))",
            bad=1,
        ),
        number(
            "Cache hits",
            "The share of cached reads that needed no load.",
            "percentunit",
            share("orderly_cache_reads_total", 'outcome="hit"'),
        ),
        number(
            "Served stale",
            "The share of cached reads that were answered from what was old, because the source was away.",
            "percentunit",
            share("orderly_cache_reads_total", 'outcome="stale"'),
            bad=0.01,
        ),
        number(
            "Reads late",
            "The share of reads at the gateway answered 503: a read model that is not as fresh as was asked, or away.",
            "percentunit",
            share("orderly_http_requests_total", f'{READS},code="503"', READS),
            bad=0.01,
        ),
        number("Reads", "Reads at the gateway, per second.", "reqps", per_second("orderly_http_requests_total", READS)),
        lines(
            "Staleness",
            "An upper bound of how far each read model is behind the log.",
            "s",
            Query('max by (job) (orderly_consumer_lag_seconds{consumer="projector"})', "{{job}}"),
        ),
        lines(
            "Records to fold",
            "Records that are in the log and not in the read model.",
            "short",
            Query('max by (job) (orderly_consumer_lag_records{consumer="projector"})', "{{job}}"),
        ),
        lines(
            "Folded",
            "Records that were folded into a read model, per second.",
            "ops",
            Query(per_second("orderly_projection_records_total", PROCESSING, by="job"), "{{job}}"),
        ),
        lines(
            "Cached reads",
            "What the caches did.",
            "reqps",
            Query(per_second("orderly_cache_reads_total", by="cache, outcome"), "{{cache}} {{outcome}}"),
        ),
        lines(
            "Age of what was answered",
            "How long ago what a cache answered was so at its source.",
            "s",
            Query(quantile(0.5, "orderly_cache_age_seconds", by="cache"), "{{cache}} p50"),
            Query(quantile(0.99, "orderly_cache_age_seconds", by="cache"), "{{cache}} p99"),
        ),
        lines(
            "Latency of reads, p99",
            "Until the answer begins, at the gateway.",
            "s",
            Query(quantile(0.99, "orderly_http_request_seconds", READS, by="route"), "{{route}}", exemplars=True),
        ),
        lines(
            "Read models folded anew",
            "A read model that was lost, or never was, is folded from the first event.",
            "short",
            Query(f"sum by (job) (increase(orderly_projection_rebuilds_total{{{PROCESSING}}}[{RATE}]))", "{{job}}"),
            width=24,
        ),
    ),
)
