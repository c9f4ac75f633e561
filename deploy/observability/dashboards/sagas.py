"""How orders go through their saga: how many come how far, what turns them back, and how long it takes."""

from deploy.observability.dashboards.board import Board, Panel, Query, lines, number
from deploy.observability.dashboards.expressions import RATE, per_second, quantile, share

BOARD = Board(
    "orderly-sagas",
    "Orderly / Order sagas",
    "The funnel of the order saga, its outcomes and compensations, and latency with exemplars.",
    (
        number("Started", "Sagas that began, per second.", "reqps", per_second("orderly_sagas_started_total")),
        number(
            "Confirmed",
            "The share of verdicts that were confirmations.",
            "percentunit",
            share("orderly_sagas_finished_total", 'outcome="confirmed"'),
        ),
        number(
            "Given up",
            "The share of verdicts that came of silence: nobody decided against the order, somebody did not answer.",
            "percentunit",
            share("orderly_sagas_finished_total", 'cause="silence"'),
            bad=0.001,
        ),
        number("In flight", "Sagas that have something left to do.", "short", "sum(orderly_sagas_in_flight)"),
        number(
            "Longest in a step",
            "How long the saga that has been longest in its step has been there; parked ones wait for a person.",
            "s",
            'max(orderly_saga_oldest_seconds{step!="parked"})',
            bad=120,
        ),
        number(
            "Parked",
            "Sagas whose payment could not be settled or undone by itself.",
            "short",
            'sum(orderly_sagas_in_flight{step="parked"})',
            bad=1,
        ),
        Panel(
            "From acceptance to verdict",
            "How long orders took, by the number of them. Points are exemplars: each leads to the trace of one order.",
            "s",
            (Query(f"sum by (le) (increase(orderly_saga_seconds_bucket[{RATE}]))", exemplars=True),),
            "heatmap",
            width=16,
        ),
        lines(
            "Verdict, by outcome",
            "From acceptance to verdict.",
            "s",
            Query(quantile(0.5, "orderly_saga_seconds", by="outcome"), "{{outcome}} p50"),
            Query(quantile(0.99, "orderly_saga_seconds", by="outcome"), "{{outcome}} p99", exemplars=True),
        ),
        lines(
            "Funnel",
            "Orders that came so far, per second: begun, all lines held, confirmed, settled.",
            "reqps",
            Query(per_second("orderly_sagas_started_total"), "begun"),
            Query(per_second("orderly_saga_step_seconds_count", 'step="authorizing"'), "answered by payment"),
            Query(per_second("orderly_sagas_finished_total", 'outcome="confirmed"'), "confirmed"),
            Query(per_second("orderly_saga_step_seconds_count", 'step="settling"'), "settled"),
        ),
        lines(
            "Compensations",
            "Sagas that turned back, by the step in which they did and what for.",
            "reqps",
            Query(per_second("orderly_sagas_compensated_total", by="step, cause"), "{{step}}: {{cause}}"),
        ),
        lines(
            "Time in each step, p95",
            "How long sagas stayed in a step that they left.",
            "s",
            Query(quantile(0.95, "orderly_saga_step_seconds", by="step"), "{{step}}", exemplars=True),
        ),
        lines(
            "Where sagas are",
            "Sagas in flight by step.",
            "short",
            Query("sum by (step) (orderly_sagas_in_flight)", "{{step}}"),
            width=12,
        ),
        lines(
            "Longest in each step",
            "How long the saga that has been longest in this step has been there.",
            "s",
            Query("max by (step) (orderly_saga_oldest_seconds)", "{{step}}"),
            width=12,
        ),
    ),
)
