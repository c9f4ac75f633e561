"""Metrics follow the conventions, and the documents show what is declared."""

import re

import pytest
from prometheus_client.metrics_core import Metric

from common.telemetry import metrics
from deploy.observability import __main__ as made
from deploy.observability.reference import declared, labels_of

DECLARED = list(declared())
UNITS = ("_seconds", "_records")
HAS_A_UNIT = re.compile(r"seconds|bytes|ratio")


@pytest.mark.parametrize("metric", DECLARED, ids=lambda it: it.name)
def test_a_name_says_whose_it_is_and_in_which_unit(metric: Metric) -> None:
    assert re.fullmatch(r"orderly(_[a-z]+)+", metric.name)
    assert metric.documentation.endswith(".")
    if metric.type == "histogram":
        assert metric.name.endswith(UNITS)
    if HAS_A_UNIT.search(metric.name):
        assert metric.name.endswith(UNITS), "the unit comes last"
    assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket", "_ms", "_millis"))


@pytest.mark.parametrize("metric", DECLARED, ids=lambda it: it.name)
def test_every_label_has_a_bound(metric: Metric) -> None:
    assert set(labels_of(metric.name)) <= set(metrics.LABELS)


def test_no_bound_is_told_of_a_label_that_there_is_not() -> None:
    assert set(metrics.LABELS) == {label for metric in DECLARED for label in labels_of(metric.name)}


def test_no_metric_is_declared_elsewhere() -> None:
    pattern = re.compile(r"^from prometheus_client import .*\b(Counter|Gauge|Histogram|Summary|Info)\b", re.MULTILINE)
    sources = [path for room in ("libs", "services") for path in (made.ROOT / room).rglob("*.py")]
    assert [path.name for path in sources if pattern.search(path.read_text())] == ["metrics.py"]


def test_what_is_made_from_code_is_up_to_date() -> None:
    assert made.differing() == [], "run make observability"
