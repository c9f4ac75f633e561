"""The log and what is done exactly once: lag, transactions, fencing, dead letters. The same on every engine."""

from deploy.observability.dashboards.board import Board, Query, lines, number
from deploy.observability.dashboards.expressions import PROCESSING, RATE, per_second, quantile

BOARD = Board(
    "orderly-log",
    "Orderly / Kafka and exactly-once",
    "How far processors and projectors are behind the log, and how transactions end. On the embedded engine, too.",
    (
        number(
            "Behind, processors",
            "All that was in the log so long ago is done: an upper bound, of the slowest service.",
            "s",
            'max(orderly_consumer_lag_seconds{consumer="processor"})',
            bad=30,
        ),
        number(
            "Behind, records",
            "Commands that are in the log and not decided yet, of all services.",
            "short",
            'sum(max by (job) (orderly_consumer_lag_records{consumer="processor"}))',
            bad=10_000,
        ),
        number(
            "Fencings",
            "Transactions refused because another process owned the partitions, in the time that is shown.",
            "short",
            'sum(increase(orderly_log_transactions_total{outcome="fenced"}[$__range]))',
            bad=1,
        ),
        number(
            "Dead letters",
            "Inputs that could not be handled, in the time that is shown.",
            "short",
            "sum(increase(orderly_dead_letters_total[$__range]))",
            bad=1,
        ),
        number(
            "Degraded",
            "1 where a Kafka is used whose transactions can be torn.",
            "short",
            "max(orderly_log_degraded)",
            bad=1,
        ),
        number(
            "Copies missing",
            "Copies of Kafka's partitions that are behind or away, as the last audit found. 0 where each has one copy.",
            "short",
            "max(orderly_log_copies_missing)",
            bad=1,
        ),
        number(
            "Partitions owned",
            "Partitions of command topics that some process owns; there are 12 for each of three services.",
            "short",
            "sum(orderly_processor_partitions)",
        ),
        lines(
            "Lag in seconds",
            "An upper bound of how far each service is behind its log.",
            "s",
            Query("max by (job, consumer) (orderly_consumer_lag_seconds)", "{{job}} {{consumer}}"),
        ),
        lines(
            "Lag in records",
            "Records that are in the log and not done yet.",
            "short",
            Query("max by (job, consumer) (orderly_consumer_lag_records)", "{{job}} {{consumer}}"),
        ),
        lines(
            "Partitions by process",
            "How the partitions are shared: a step is a rebalance.",
            "short",
            Query(f"sum by (job, instance) (orderly_processor_partitions{{{PROCESSING}}})", "{{job}} {{instance}}"),
        ),
        lines(
            "Transactions",
            "How the processors' transactions ended.",
            "ops",
            Query(per_second("orderly_log_transactions_total", by="outcome"), "{{outcome}}"),
        ),
        lines(
            "Records in a transaction",
            "How many records were committed together: the batching that a load brings by itself.",
            "short",
            Query(quantile(0.5, "orderly_log_transaction_records", PROCESSING, by="job"), "{{job}} p50"),
            Query(quantile(0.99, "orderly_log_transaction_records", PROCESSING, by="job"), "{{job}} p99"),
        ),
        lines(
            "Time of a commit",
            "From the end of the work to the word that it is committed.",
            "s",
            Query(quantile(0.5, "orderly_log_transaction_seconds", PROCESSING, by="job"), "{{job}} p50"),
            Query(quantile(0.99, "orderly_log_transaction_seconds", PROCESSING, by="job"), "{{job}} p99"),
        ),
        lines(
            "Inputs",
            "What the processors have done: changed something, or found that nothing had to be (duplicates, late answers).",
            "ops",
            Query(per_second("orderly_processor_inputs_total", by="job, effect"), "{{job}} {{effect}}"),
        ),
        lines(
            "Appends",
            "Commands that the APIs wrote, by their outcome.",
            "ops",
            Query(per_second("orderly_log_appends_total", by="job, outcome"), "{{job}} {{outcome}}"),
        ),
        lines(
            "Time of an append, p99",
            "Until the log has acknowledged a command: what an acceptance waits for.",
            "s",
            Query(quantile(0.99, "orderly_log_append_seconds", PROCESSING, by="job"), "{{job}}"),
        ),
        lines(
            "Dead letters",
            "Inputs that were set aside.",
            "short",
            Query(f"sum by (job) (increase(orderly_dead_letters_total{{{PROCESSING}}}[{RATE}]))", "{{job}}"),
            width=12,
        ),
        lines(
            "Failed steps",
            "Steps of a thread that failed and are tried again: a log or a read model that is away.",
            "ops",
            Query(per_second("orderly_loop_failures_total", by="job, loop"), "{{job}} {{loop}}"),
            width=12,
        ),
    ),
)
