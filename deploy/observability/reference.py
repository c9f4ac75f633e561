"""docs/metrics.md: every declared metric with its type, labels and meaning, made from the declarations."""

from collections.abc import Iterator

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

from common.telemetry import metrics

HEAD = """# Metrics

Made by `make observability` from [telemetry/metrics.py](../libs/common/common/telemetry/metrics.py). Every process shows its
own on `/metrics` of its plain port (`orderly status`), in OpenMetrics with exemplars where that is asked for;
`orderly audit --metrics-port` shows those of the laws. Beside them are the usual ones of the Python client: `process_…` and
`python_…`.

Whoever scrapes adds `job`, which is the name of the service, and `instance`, which tells its processes apart.

| metric | type | labels | meaning |
|---|---|---|---|
"""
LABELS = """
| label | its values |
|---|---|
"""


def declared() -> Iterator[Metric]:
    """As a scrape would show them, in the order of the declarations."""
    for found in vars(metrics).values():
        if isinstance(found, MetricWrapperBase):
            yield from found.describe()


def labels_of(name: str) -> tuple[str, ...]:
    """Those of the declared metric of this name, without `le`."""
    for found in vars(metrics).values():
        if isinstance(found, MetricWrapperBase) and found._name == name:
            return tuple(found._labelnames)
    raise KeyError(name)


def shown(metric: Metric) -> str:
    """Its name as one asks for it."""
    return f"{metric.name}{ {'counter': '_total', 'info': '_info'}.get(metric.type, '') }"


def page() -> str:
    rows = [
        f"| `{shown(it)}` | {it.type} | {' '.join(f'`{label}`' for label in labels_of(it.name))} | {it.documentation} |"
        for it in declared()
    ]
    bounds = [f"| `{label}` | {bound} |" for label, bound in metrics.LABELS.items()]
    return HEAD + "\n".join(rows) + "\n" + LABELS + "\n".join(bounds) + "\n"
