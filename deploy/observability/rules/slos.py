"""What is promised to customers, and when to be woken: alerts on the pace at which the error budget of each promise burns.

The method is that of Beyer et al., "The Site Reliability Workbook", 2018, chapter 5 (multi-window, multi-burn-rate). A pace
at which the budget of thirty days is gone in five wakes somebody, a slower one makes a ticket. The long window says that it
matters, the short one that it still goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from deploy.observability.rules.rule import Alert, Group, Recording, Severity, spoken

RECORDED = "orderly:slo_errors:ratio_rate"  # and the window; its label `slo` names the promise


@dataclass(frozen=True, slots=True)
class Slo:
    """`objective`: the share that is good. `ratio`: PromQL for the share that is not, with `WINDOW` for the window."""

    name: str
    objective: float
    promise: str
    ratio: str

    @property
    def budget(self) -> float:
        return 1 - self.objective

    @property
    def alert(self) -> str:
        return "Orderly" + "".join(word.capitalize() for word in self.name.split("-"))


@dataclass(frozen=True, slots=True)
class Burn:
    """A budget of thirty days, used `rate` times as fast as it may be."""

    rate: float
    long: timedelta
    short: timedelta
    severity: Severity


MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BURNS = (
    Burn(14.4, HOUR, 5 * MINUTE, "page"),
    Burn(6, 6 * HOUR, 30 * MINUTE, "page"),
    Burn(3, DAY, 2 * HOUR, "ticket"),
    Burn(1, 3 * DAY, 6 * HOUR, "ticket"),
)
WINDOWS = sorted({window for burn in BURNS for window in (burn.long, burn.short)})

_ORDERS = 'job="gateway",route="/v1/orders",method="POST"'
_STALEST = 'max(min by (job) (orderly_consumer_lag_seconds{consumer="projector"}))'

SLOS = (
    Slo(
        "order-availability",
        0.999,
        "Of a thousand orders at most one is answered 5xx.",
        f'(sum(rate(orderly_http_requests_total{{{_ORDERS},code=~"5.."}}[WINDOW])) or vector(0))'
        f" / sum(rate(orderly_http_requests_total{{{_ORDERS}}}[WINDOW]))",
    ),
    Slo(
        "acceptance-latency",
        0.99,
        "Of a hundred orders at most one is acknowledged later than after half a second.",
        f'1 - sum(rate(orderly_http_request_seconds_bucket{{{_ORDERS},le="0.5"}}[WINDOW]))'
        f" / sum(rate(orderly_http_request_seconds_count{{{_ORDERS}}}[WINDOW]))",
    ),
    Slo(
        "saga-success",
        0.999,
        "Of a thousand orders at most one is given up because somebody did not answer.",
        'sum(rate(orderly_sagas_finished_total{cause="silence"}[WINDOW])) / sum(rate(orderly_sagas_finished_total[WINDOW]))',
    ),
    Slo(
        "completion-latency",
        0.99,
        "Of a hundred orders at most one is confirmed or cancelled later than five seconds after it was accepted.",
        '1 - sum(rate(orderly_saga_seconds_bucket{le="5.0"}[WINDOW])) / sum(rate(orderly_saga_seconds_count[WINDOW]))',
    ),
    Slo(
        "read-freshness",
        0.999,
        "Of a thousand moments there is at most one in which a read model is more than two seconds behind the log.",
        "avg_over_time(orderly:read_models:stale[WINDOW])",
    ),
)
STALE = Recording("orderly:read_models:stale", f"{_STALEST} > bool 2")


def groups(scale: float = 1.0) -> Sequence[Group]:
    """`scale`: of all windows, so that a test need not wait for an hour."""
    recordings = [STALE]
    recordings += [
        Recording(recorded(window, scale), slo.ratio.replace("WINDOW", spoken(window * scale)), {"slo": slo.name})
        for slo in SLOS
        for window in WINDOWS
    ]
    alerts = [_alert(slo, severity, scale) for slo in SLOS for severity in ("page", "ticket")]
    return [Group("orderly-slo-errors", recordings), Group("orderly-slo-burns", alerts)]


def recorded(window: timedelta, scale: float = 1.0) -> str:
    return RECORDED + spoken(window * scale)


def _alert(slo: Slo, severity: Severity, scale: float) -> Alert:
    burns = [burn for burn in BURNS if burn.severity == severity]
    expr = " or ".join(f"({_burning(slo, burn, scale)})" for burn in burns)
    pace = "fast" if severity == "page" else "slowly"
    days = 5 if severity == "page" else 30
    return Alert(
        f"{slo.alert}Burns{pace.capitalize()}",
        expr,
        severity,
        f"The error budget of {slo.name} burns {pace}: at this pace that of thirty days is gone in {days}, or sooner.",
        slo.name,
        labels={"slo": slo.name},
    )


def _burning(slo: Slo, burn: Burn, scale: float) -> str:
    limit = f"{burn.rate * slo.budget:.4g}"
    sides = [f'{recorded(window, scale)}{{slo="{slo.name}"}} > {limit}' for window in (burn.long, burn.short)]
    return " and ".join(sides)
