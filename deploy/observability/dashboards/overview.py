"""The four golden signals of the whole platform (Beyer et al., "Site Reliability Engineering", 2016, chapter 6)."""

from deploy.observability.dashboards.board import Board, Query, lines, number
from deploy.observability.dashboards.expressions import per_second, quantile, share

EDGE = 'job="gateway"'

BOARD = Board(
    "orderly-overview",
    "Orderly / Platform overview",
    "Traffic, errors, latency and saturation, at the edge and of what stands behind it.",
    (
        number("Orders", "Orders accepted, per second.", "reqps", per_second("orderly_sagas_started_total")),
        number(
            "Errors",
            "The share of requests at the gateway that were answered 5xx.",
            "percentunit",
            share("orderly_http_requests_total", f'{EDGE},code=~"5.."', EDGE),
            bad=0.01,
        ),
        number(
            "Acceptance, p99",
            "Until an order is acknowledged, for 99 of 100; orders that were asked to wait are not in it.",
            "s",
            quantile(0.99, "orderly_http_request_seconds", f'{EDGE},route="/v1/orders",method="POST"'),
            bad=0.5,
        ),
        number(
            "Verdict, p99",
            "From the acceptance of an order until it is confirmed or cancelled, for 99 of 100.",
            "s",
            quantile(0.99, "orderly_saga_seconds"),
            bad=5,
        ),
        number(
            "Stalest read model",
            "An upper bound of how far the stalest read model is behind the log.",
            "s",
            'max(orderly_consumer_lag_seconds{consumer="projector"})',
            bad=2,
        ),
        number(
            "Broken laws",
            "Laws that the last audit found broken; without data nobody audits.",
            "short",
            "count(max by (law) (orderly_law_violations) > 0) or 0 * count(orderly_law_violations)",
            bad=1,
        ),
        lines(
            "Traffic",
            "Requests at the gateway by route.",
            "reqps",
            Query(per_second("orderly_http_requests_total", EDGE, by="method, route"), "{{method}} {{route}}"),
        ),
        lines(
            "Answers",
            "Requests at the gateway by status.",
            "reqps",
            Query(per_second("orderly_http_requests_total", EDGE, by="code"), "{{code}}"),
        ),
        lines(
            "Latency at the edge",
            "Until the answer begins, over all routes. Points are exemplars: each leads to the trace of one request.",
            "s",
            Query(quantile(0.5, "orderly_http_request_seconds", EDGE), "p50"),
            Query(quantile(0.99, "orderly_http_request_seconds", EDGE), "p99", exemplars=True),
        ),
        lines(
            "Orders by verdict",
            "Orders that were confirmed or cancelled, and what for.",
            "reqps",
            Query(per_second("orderly_sagas_finished_total", by="outcome, cause"), "{{outcome}} {{cause}}"),
        ),
        lines(
            "CPU",
            "Cores that each service takes.",
            "short",
            Query('sum by (job) (rate(process_cpu_seconds_total{job!="prometheus"}[$__rate_interval]))', "{{job}}"),
        ),
        lines(
            "Saturation",
            "Requests in work, and sagas in flight.",
            "short",
            Query('sum by (job) (orderly_http_requests_in_work{job!="auditor"})', "{{job}} requests"),
            Query("sum(orderly_sagas_in_flight)", "sagas"),
        ),
    ),
)
