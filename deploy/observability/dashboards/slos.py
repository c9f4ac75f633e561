"""The promises: how much of each error budget is used, and how fast."""

from deploy.observability.dashboards.board import Board, Panel, Query, lines, number
from deploy.observability.rules.slos import BURNS, SLOS, WINDOWS, Slo, recorded


def _number(slo: Slo) -> Panel:
    """As much as there has been of three days."""
    ratio = f'{recorded(WINDOWS[-1])}{{slo="{slo.name}"}}'
    title = slo.name.replace("-", " ").capitalize()
    description = f"{slo.promise} Shown: the share that was good in the last three days; promised: {slo.objective:.1%}."
    return number(title, description, "percentunit", f"1 - {ratio}", good=slo.objective)


def _burn(slo: Slo) -> Panel:
    short, *others = sorted({burn.short for burn in BURNS} | {burn.long for burn in BURNS})
    queries = [
        Query(f'{recorded(window)}{{slo="{slo.name}"}} / {slo.budget:.4g}', recorded(window).rpartition("rate")[2])
        for window in (short, others[1], others[3])
    ]
    title = f"Burn rate: {slo.name.replace('-', ' ')}"
    return lines(
        title,
        f"{slo.promise} At 1 the budget of thirty days lasts for thirty days; 14.4 wakes somebody.",
        "short",
        *queries,
    )


BOARD = Board(
    "orderly-slos",
    "Orderly / SLOs",
    "What is promised to customers, what was kept, and how fast the error budgets burn.",
    (
        *(_number(slo) for slo in SLOS),
        *(_burn(slo) for slo in SLOS),
        lines(
            "Alerts",
            "Alerts that are firing or about to.",
            "short",
            Query(
                'count by (alertname, alertstate) (ALERTS{alertname=~"Orderly.*"}) or vector(0)',
                "{{alertname}} {{alertstate}}",
            ),
        ),
    ),
)
