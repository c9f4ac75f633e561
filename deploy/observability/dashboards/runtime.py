"""The processes themselves: memory, CPU, event loop, worker threads, garbage, files."""

from deploy.observability.dashboards.board import Board, Query, lines, number
from deploy.observability.dashboards.expressions import RATE, quantile

OURS = 'job=~"gateway|order|payment|inventory|provider|registry"'

BOARD = Board(
    "orderly-runtime",
    "Orderly / Runtime",
    "What the processes take, and whether they keep up with themselves.",
    (
        number("Processes", "That answer their scrape.", "short", f"sum(up{{{OURS}}})"),
        number(
            "Down",
            "Processes that do not answer their scrape.",
            "short",
            f"count(up{{{OURS}}}) - sum(up{{{OURS}}})",
            bad=1,
        ),
        number(
            "Restarts",
            "Processes that were started anew, in the time that is shown.",
            "short",
            f"sum(changes(process_start_time_seconds{{{OURS}}}[$__range]))",
            bad=1,
        ),
        number("Memory", "Of all processes.", "bytes", f"sum(process_resident_memory_bytes{{{OURS}}})"),
        number(
            "CPU",
            "Of all processes; 100 % is one core.",
            "percentunit",
            f"sum(rate(process_cpu_seconds_total{{{OURS}}}[{RATE}]))",
        ),
        number(
            "Versions",
            "How many versions run side by side.",
            "short",
            f"count(count by (version) (orderly_build_info{{{OURS}}}))",
            bad=2,
        ),
        lines(
            "Memory",
            "Resident memory of each process.",
            "bytes",
            Query(f"sum by (job, instance) (process_resident_memory_bytes{{{OURS}}})", "{{job}} {{instance}}"),
        ),
        lines(
            "CPU",
            "Cores that each process takes.",
            "short",
            Query(
                f"sum by (job, instance) (rate(process_cpu_seconds_total{{{OURS}}}[{RATE}]))", "{{job}} {{instance}}"
            ),
        ),
        lines(
            "Open files",
            "Files and connections of each process.",
            "short",
            Query(f"sum by (job, instance) (process_open_fds{{{OURS}}})", "{{job}} {{instance}}"),
        ),
        lines(
            "Event loop lag, p99",
            "How late an event loop does what is due: all requests of the process wait so long.",
            "s",
            Query(quantile(0.99, "orderly_event_loop_lag_seconds", by="job"), "{{job}}"),
        ),
        lines(
            "Thread pool lag, p99",
            "How long one waits for a worker thread: what asks the log goes through it.",
            "s",
            Query(quantile(0.99, "orderly_thread_pool_lag_seconds", by="job"), "{{job}}"),
        ),
        lines(
            "Garbage collections",
            "Of the oldest generation: each walks through all that a process holds.",
            "ops",
            Query(f'sum by (job) (rate(python_gc_collections_total{{{OURS},generation="2"}}[{RATE}]))', "{{job}}"),
        ),
    ),
)
