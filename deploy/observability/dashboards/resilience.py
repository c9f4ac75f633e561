"""The guards between services: breakers, bulkheads, retries, shedding; and the faults that are switched on."""

from deploy.observability.dashboards.board import Board, Query, lines, number
from deploy.observability.dashboards.expressions import per_second, quantile, share

ASKED = 'kind!="over_budget"'

BOARD = Board(
    "orderly-resilience",
    "Orderly / Resilience",
    "How services see those whom they ask, and what the guards do about it.",
    (
        number(
            "Worst breaker",
            "0: all closed; 1: one is being tried; 2: one is open.",
            "short",
            "max(orderly_upstream_breaker)",
            bad=2,
        ),
        number(
            "Unanswered",
            "The share of requests between services without an answer: late, failed or refused by a guard.",
            "percentunit",
            share("orderly_upstream_requests_total", 'outcome!="answered"'),
            bad=0.01,
        ),
        number(
            "Asked again",
            "Retries and hedges, as a share of all requests between services; the budget allows a tenth.",
            "percentunit",
            f"{per_second('orderly_upstream_repeats_total', ASKED)} / {per_second('orderly_upstream_requests_total')}",
            bad=0.1,
        ),
        number(
            "Fullest bulkhead",
            "Requests inside, as a share of those that are let in.",
            "percentunit",
            "max(orderly_upstream_in_flight / (orderly_upstream_limit > 0))",
            bad=0.8,
        ),
        number(
            "Shed",
            "Requests that the gateway refused, per second.",
            "reqps",
            per_second("orderly_gateway_shed_total"),
            bad=1,
        ),
        number(
            "Faults",
            "How often a fault switch struck, per second; somebody has switched it on.",
            "ops",
            f"{per_second('orderly_fault_hits_total')} or vector(0)",
            bad=0.01,
        ),
        lines(
            "Circuit breakers",
            "0 closed, 1 half-open, 2 open, by who asks and who is asked.",
            "short",
            Query("max by (job, upstream) (orderly_upstream_breaker)", "{{job}} to {{upstream}}"),
        ),
        lines(
            "Requests between services",
            "How they ended.",
            "reqps",
            Query(
                per_second("orderly_upstream_requests_total", by="job, upstream, outcome"),
                "{{job}} to {{upstream}}: {{outcome}}",
            ),
        ),
        lines(
            "Latency between services, p99",
            "From the request to the whole answer, all attempts and pauses included.",
            "s",
            Query(
                quantile(0.99, "orderly_upstream_request_seconds", by="job, upstream"),
                "{{job}} to {{upstream}}",
                exemplars=True,
            ),
        ),
        lines(
            "Bulkheads",
            "Requests inside, and in line before it.",
            "short",
            Query("sum by (job, upstream) (orderly_upstream_in_flight)", "{{job}} to {{upstream}}"),
            Query("sum by (job, upstream) (orderly_upstream_waiting)", "{{job}} to {{upstream}} in line"),
        ),
        lines(
            "Retries and hedges",
            "What was asked once more, or would have been but for the budget.",
            "reqps",
            Query(
                per_second("orderly_upstream_repeats_total", by="job, upstream, kind"),
                "{{job}} to {{upstream}}: {{kind}}",
            ),
        ),
        lines(
            "Endpoints",
            "Of each service, as those see it who ask: usable, unready, ejected.",
            "short",
            Query("max by (job, upstream, state) (orderly_upstream_endpoints)", "{{job}} to {{upstream}}: {{state}}"),
        ),
        lines(
            "Shedding",
            "Requests that the gateway refused at once, by who would have served them.",
            "reqps",
            Query(per_second("orderly_gateway_shed_total", by="upstream"), "{{upstream}}"),
            width=12,
        ),
        lines(
            "Concurrency limit of the gateway",
            "Requests that are let in at once; it follows the latency.",
            "short",
            Query("min by (upstream) (orderly_gateway_concurrency_limit)", "{{upstream}}"),
            width=12,
        ),
    ),
)
