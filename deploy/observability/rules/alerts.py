"""What somebody has to look at, whether or not customers feel it yet. Each has a runbook of its name."""

from collections.abc import Sequence
from datetime import timedelta

from common.topology import GATEWAY, PROCESSING_SERVICES, PROVIDER, REGISTRY
from deploy.observability.rules.rule import ZERO, Alert, Group, Severity, spoken

OURS = f'job=~"{"|".join((GATEWAY, *PROCESSING_SERVICES, PROVIDER, REGISTRY))}"'
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def groups(scale: float = 1.0) -> Sequence[Group]:
    """`scale`: of all times, so that a test need not wait for minutes."""
    five, ten, fifteen = (spoken(it * MINUTE * scale) for it in (5, 10, 15))

    def alert(name: str, expr: str, severity: Severity, summary: str, runbook: str, lasts: timedelta = ZERO) -> Alert:
        return Alert(f"Orderly{name}", expr, severity, summary, runbook, lasts * scale)

    return [
        Group(
            "orderly-laws",
            [
                alert(
                    "LawViolated",
                    "max by (law) (orderly_law_violations) > 0",
                    "page",
                    "Law {{ $labels.law }} is broken, {{ $value }} times.",
                    "law-violated",
                ),
                alert(
                    "NobodyAudits",
                    f"time() - max(orderly_audit_timestamp_seconds) > {900 * scale:g}",
                    "ticket",
                    "The laws were not checked for a quarter of an hour.",
                    "nobody-audits",
                    10 * MINUTE,
                ),
            ],
        ),
        Group(
            "orderly-sagas",
            [
                alert(
                    "SagaStuck",
                    f'max by (step) (orderly_saga_oldest_seconds{{step!="parked"}}) > {120 * scale:g}',
                    "page",
                    "An order has been {{ $labels.step }} for {{ $value | humanizeDuration }}.",
                    "saga-stuck",
                    MINUTE,
                ),
                alert(
                    "SagaParked",
                    'sum(orderly_sagas_in_flight{step="parked"}) > 0',
                    "ticket",
                    "{{ $value }} orders wait for a person: their payment cannot be settled or undone by itself.",
                    "saga-parked",
                    10 * MINUTE,
                ),
            ],
        ),
        Group(
            "orderly-log",
            [
                alert(
                    "DeadLetters",
                    f"sum by (job) (increase(orderly_dead_letters_total[{ten}])) > 0",
                    "ticket",
                    "{{ $labels.job }} has set aside what it could not handle.",
                    "dead-letters",
                ),
                alert(
                    "Lags",
                    f"max by (job, consumer) (orderly_consumer_lag_seconds) > {30 * scale:g}",
                    "page",
                    "The {{ $labels.consumer }} of {{ $labels.job }} is {{ $value | humanizeDuration }} behind the log.",
                    "lags",
                    2 * MINUTE,
                ),
                alert(
                    "Fenced",
                    f'sum by (job) (increase(orderly_log_transactions_total{{outcome="fenced"}}[{ten}])) > 0',
                    "ticket",
                    "A processor of {{ $labels.job }} was silent for longer than its lease, and lost its partitions.",
                    "fenced",
                ),
                alert(
                    "LogAway",
                    f'sum by (job) (increase(orderly_log_appends_total{{outcome="failed"}}[{five}])) > 0'
                    f' or sum by (job) (increase(orderly_log_transactions_total{{outcome="unknown"}}[{five}])) > 0',
                    "page",
                    "{{ $labels.job }} cannot write to the log.",
                    "log-away",
                ),
                alert(
                    "StepsFail",
                    f"sum by (job, loop) (increase(orderly_loop_failures_total[{five}])) > 2",
                    "page",
                    "The {{ $labels.loop }} of {{ $labels.job }} fails again and again: its log or its read model is away.",
                    "steps-fail",
                ),
                alert(
                    "ReadModelRebuilt",
                    f"sum by (job) (increase(orderly_projection_rebuilds_total[{ten}])) > 0",
                    "ticket",
                    "The read model of {{ $labels.job }} was lost, and is folded anew from the first event.",
                    "read-model-rebuilt",
                ),
                alert(
                    "Duplicates",
                    f'sum by (job) (increase(orderly_processor_inputs_total{{effect="nothing"}}[{ten}]))'
                    f" / sum by (job) (increase(orderly_processor_inputs_total[{ten}])) > 0.1",
                    "ticket",
                    "Every tenth input of {{ $labels.job }} changes nothing: somebody sends again what was done.",
                    "duplicates",
                ),
                alert(
                    "LogCopiesMissing",
                    "max(orderly_log_copies_missing) > 0",
                    "ticket",
                    "{{ $value }} copies of Kafka's partitions are behind or away: the next broker that is lost stops the log.",
                    "log-copies-missing",
                    5 * MINUTE,
                ),
                alert(
                    "LogDegraded",
                    "max by (job) (orderly_log_degraded) > 0",
                    "ticket",
                    "{{ $labels.job }} uses a Kafka whose transactions can be torn.",
                    "log-degraded",
                ),
            ],
        ),
        Group(
            "orderly-processes",
            [
                alert(
                    "Down",
                    f"up{{{OURS}}} == 0",
                    "page",
                    "{{ $labels.job }} at {{ $labels.instance }} does not answer: dead, frozen, or cut off.",
                    "down",
                    MINUTE,
                ),
                alert(
                    "Restarted",
                    f"changes(process_start_time_seconds{{{OURS}}}[{fifteen}]) > 0",
                    "ticket",
                    "{{ $labels.job }} at {{ $labels.instance }} was started anew.",
                    "restarted",
                ),
                alert(
                    "BreakerOpen",
                    "max by (job, upstream) (orderly_upstream_breaker) == 2",
                    "page",
                    "{{ $labels.job }} asks {{ $labels.upstream }} no more: too many of its answers failed.",
                    "breaker-open",
                    MINUTE,
                ),
                alert(
                    "Sheds",
                    f"sum by (upstream) (rate(orderly_gateway_shed_total[{five}])) > 0",
                    "page",
                    "The gateway refuses requests for {{ $labels.upstream }}: more come than can be served.",
                    "sheds",
                    2 * MINUTE,
                ),
                alert(
                    "FaultSwitchedOn",
                    f"sum by (job, switch) (increase(orderly_fault_hits_total[{five}])) > 0",
                    "ticket",
                    "The fault {{ $labels.switch }} is switched on and strikes.",
                    "fault-switched-on",
                ),
            ],
        ),
        Group(
            "orderly-security",
            [
                alert(
                    "CertificateExpires",
                    f"min by (job) (orderly_certificate_expires_timestamp_seconds > 0) - time() < {4 * 3600}",
                    "page",
                    "The certificate of {{ $labels.job }} ends in {{ $value | humanizeDuration }} and was not renewed.",
                    "certificate-expires",
                    5 * MINUTE,
                ),
                alert(
                    "CertificateUnusable",
                    "max by (job, instance) (orderly_certificate_alarm) > 0",
                    "page",
                    "{{ $labels.job }} at {{ $labels.instance }} cannot use its new certificate files.",
                    "certificate-unusable",
                    MINUTE,
                ),
                alert(
                    "CallsDenied",
                    f"sum by (job, who) (increase(orderly_calls_denied_total[{ten}])) > 0",
                    "page",
                    "{{ $labels.who }} asked {{ $labels.job }} for what it may not ask for.",
                    "calls-denied",
                ),
                alert(
                    "HandshakesRefused",
                    f"sum by (job, side) (increase(orderly_handshakes_refused_total[{ten}])) > 5",
                    "ticket",
                    "TLS handshakes of {{ $labels.job }} fail, as {{ $labels.side }}.",
                    "handshakes-refused",
                ),
            ],
        ),
    ]
