"""For each alert a little history in which it fires, and one in which it does not: promtool's series, a value a minute."""

from collections.abc import Mapping
from dataclasses import dataclass

from deploy.observability.rules.slos import SLOS

Series = Mapping[str, str]  # a series, and its values in promtool's notation

GATEWAY = 'job="gateway",instance="gateway"'
ORDERS = f'{GATEWAY},route="/v1/orders",method="POST"'
ORDER = 'job="order",instance="order"'


@dataclass(frozen=True, slots=True)
class Case:
    """`fires` and `quiet` are looked at after `minutes`."""

    fires: Series
    quiet: Series
    minutes: int = 15


def _counter(series: str, *, rises: str = "0x5 1x30", rests: str = "0x40") -> Case:
    return Case({series: rises}, {series: rests})


def _gauge(series: str, bad: str, good: str) -> Case:
    return Case({series: f"{bad}x40"}, {series: f"{good}x40"})


ALERTS: Mapping[str, Case] = {
    "OrderlyLawViolated": _gauge('orderly_law_violations{law="L5",job="auditor"}', "2", "0"),
    "OrderlyNobodyAudits": Case(
        {"orderly_audit_timestamp_seconds": "0x40"}, {"orderly_audit_timestamp_seconds": "0+60x40"}, minutes=30
    ),
    "OrderlySagaStuck": _gauge(f'orderly_saga_oldest_seconds{{{ORDER},step="reserving"}}', "300", "3"),
    "OrderlySagaParked": _gauge(f'orderly_sagas_in_flight{{{ORDER},step="parked"}}', "1", "0"),
    "OrderlyDeadLetters": _counter(f"orderly_dead_letters_total{{{ORDER}}}"),
    "OrderlyLags": _gauge(f'orderly_consumer_lag_seconds{{{ORDER},consumer="processor"}}', "45", "1"),
    "OrderlyFenced": _counter(f'orderly_log_transactions_total{{{ORDER},outcome="fenced"}}'),
    "OrderlyLogAway": Case(
        {
            f'orderly_log_appends_total{{{ORDER},outcome="failed"}}': "0x10 0+3x30",
            f'orderly_log_transactions_total{{{ORDER},outcome="unknown"}}': "0x40",
        },
        {
            f'orderly_log_appends_total{{{ORDER},outcome="failed"}}': "3x40",
            f'orderly_log_transactions_total{{{ORDER},outcome="unknown"}}': "3x40",
        },
    ),
    "OrderlyStepsFail": _counter(
        f'orderly_loop_failures_total{{{ORDER},loop="projector"}}', rises="0+3x40", rests="0x12 1x30"
    ),
    "OrderlyReadModelRebuilt": _counter(
        f"orderly_projection_rebuilds_total{{{ORDER}}}", rises="1x5 2x30", rests="1x40"
    ),
    "OrderlyDuplicates": Case(
        {
            f'orderly_processor_inputs_total{{{ORDER},effect="nothing"}}': "0+30x40",
            f'orderly_processor_inputs_total{{{ORDER},effect="changed"}}': "0+60x40",
        },
        {
            f'orderly_processor_inputs_total{{{ORDER},effect="nothing"}}': "0+3x40",
            f'orderly_processor_inputs_total{{{ORDER},effect="changed"}}': "0+60x40",
        },
    ),
    "OrderlyLogCopiesMissing": _gauge('orderly_log_copies_missing{job="auditor"}', "40", "0"),
    "OrderlyLogDegraded": _gauge(f"orderly_log_degraded{{{ORDER}}}", "1", "0"),
    "OrderlyDown": _gauge(f"up{{{ORDER}}}", "0", "1"),
    "OrderlyRestarted": _counter(f"process_start_time_seconds{{{ORDER}}}", rises="100x8 700x30", rests="100x40"),
    "OrderlyBreakerOpen": _gauge(f'orderly_upstream_breaker{{{GATEWAY},upstream="order"}}', "2", "1"),
    "OrderlySheds": _counter(f'orderly_gateway_shed_total{{{GATEWAY},upstream="order"}}', rises="0+60x40"),
    "OrderlyFaultSwitchedOn": _counter(
        f'orderly_fault_hits_total{{{ORDER},switch="order.latency"}}', rises="0+5x40", rests="7x40"
    ),
    "OrderlyCertificateExpires": _gauge(f"orderly_certificate_expires_timestamp_seconds{{{ORDER}}}", "7200", "43200"),
    "OrderlyCertificateUnusable": _gauge(f"orderly_certificate_alarm{{{ORDER}}}", "1", "0"),
    "OrderlyCallsDenied": _counter(f'orderly_calls_denied_total{{{ORDER},who="payment"}}'),
    "OrderlyHandshakesRefused": _counter(
        f'orderly_handshakes_refused_total{{{ORDER},side="server"}}', rises="0+2x40", rests="0x10 1x30"
    ),
}


def burning(slo: str, errors: float) -> Series:
    """An hour in which this share is not as promised."""
    good, all_ = f"0+{1000 * (1 - errors):g}x70", "0+1000x70"
    bad = f"0+{1000 * errors:g}x70"
    match slo:
        case "order-availability":
            return {
                f'orderly_http_requests_total{{{ORDERS},code="503"}}': bad,
                f'orderly_http_requests_total{{{ORDERS},code="202"}}': good,
            }
        case "acceptance-latency":
            return {
                f'orderly_http_request_seconds_bucket{{{ORDERS},le="0.5"}}': good,
                f"orderly_http_request_seconds_count{{{ORDERS}}}": all_,
            }
        case "saga-success":
            return {
                f'orderly_sagas_finished_total{{{ORDER},outcome="cancelled",cause="silence"}}': bad,
                f'orderly_sagas_finished_total{{{ORDER},outcome="confirmed",cause=""}}': good,
            }
        case "completion-latency":
            return {
                f'orderly_saga_seconds_bucket{{{ORDER},outcome="confirmed",le="5.0"}}': good,
                f'orderly_saga_seconds_count{{{ORDER},outcome="confirmed"}}': all_,
            }
        case "read-freshness":
            return {f'orderly_consumer_lag_seconds{{{ORDER},consumer="projector"}}': "0x61 9x10" if errors else "0x70"}
        case other:
            raise KeyError(other)


def _burns() -> Mapping[str, Case]:
    """Twenty times too fast wakes somebody; four times makes a ticket and wakes nobody."""
    found: dict[str, Case] = {}
    for slo in SLOS:
        fast, slow = burning(slo.name, 20 * slo.budget), burning(slo.name, 4 * slo.budget)
        calm = burning(slo.name, 0.0)
        if slo.name == "read-freshness":  # four minutes of an hour are both
            slow = fast
        found[f"{slo.alert}BurnsFast"] = Case(fast, calm if slow is fast else slow, minutes=65)
        found[f"{slo.alert}BurnsSlowly"] = Case(slow, calm, minutes=65)
    return found


ALL: Mapping[str, Case] = {**ALERTS, **_burns()}
