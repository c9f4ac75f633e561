"""What is declared, documented, drawn and alerted upon is there: seen by a real Prometheus on the live, loaded platform."""

import json
import random
import re
import signal
import time
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree

import pytest
from prometheus_client.metrics_core import Metric
from system import orderly

from common import topology
from common.telemetry import metrics
from common.testing.eventually import eventually
from deploy.observability.dashboards.boards import BOARDS
from deploy.observability.drawing import Span, draw
from deploy.observability.reference import declared, labels_of, shown
from deploy.observability.rules import alerts, slos
from deploy.observability.rules.rule import Alert
from orderly import records
from tests.faults.poison import Poisoner
from tests.observability.observed import Observed

pytestmark = [pytest.mark.process, pytest.mark.prometheus, pytest.mark.timeout(240)]

SECONDS = 60  # generous: the machine may be busy
BOUNDS: Mapping[str, str] = {
    "route": r"unmatched|/[\w.-]+(/[\w.-]+|/\{[\w]+\})*",
    "method": r"GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|other",
    "code": r"[1-5]\d\d|none",
    "upstream": "|".join((*topology.SERVICES, topology.REGISTRY)),
    "action": r"[a-z_]+",
    "law": r"L\d\d?",
    "cache": "catalog",
    "loop": "processor|projector|faults",
}


def every_expression() -> Iterator[str]:
    for board in BOARDS.values():
        for panel in board.panels:
            yield from (query.expr for query in panel.queries)
    for group in (*slos.groups(), *alerts.groups()):
        for rule in group.rules:
            yield from operands(rule.expr) if isinstance(rule, Alert) else (rule.expr,)


def operands(expr: str) -> list[str]:
    """What an alert compares: the comparison itself has no value while all is well."""
    sides = re.split(
        r" (?:and|or) ", re.sub(r"^\(|\)$|(?<= or )\(|\)(?= or )", "", expr) if "ratio_rate" in expr else expr
    )
    return [re.sub(r" (>|<|==) [\d.e+-]+$", "", side) for side in sides]


def test_every_expression_of_a_dashboard_or_a_rule_has_a_value(live: Observed) -> None:
    missing = sorted(set(every_expression()))
    deadline = time.monotonic() + SECONDS
    while missing and time.monotonic() < deadline:
        time.sleep(1.0)
        missing = [expr for expr in missing if not live.numbers(expr)]
    assert missing == []


def test_prometheus_can_evaluate_every_rule(live: Observed) -> None:
    rules = [rule for group in live.prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules} >= {
        it.name for group in (*slos.groups(), *alerts.groups()) for it in group.rules
    }
    assert [(it["name"], it.get("lastError")) for it in rules if it["health"] == "err"] == []


def test_what_is_declared_is_what_is_shown(live: Observed) -> None:
    shown_names = eventually(lambda: names(live), lambda found: found == DECLARED.keys(), within=SECONDS)
    assert shown_names == DECLARED.keys()
    for name, metric in DECLARED.items():
        suffix = "_count" if metric.type == "histogram" else ""
        for labels, _ in live.prometheus.query(name + suffix):
            ours = set(labels) - {"__name__", "job", "instance"}
            assert metric.type == "info" or ours <= set(labels_of(metric.name)), name


def names(live: Observed) -> set[str]:
    found = {
        str(labels["__name__"]) for labels, _ in live.prometheus.query('group by (__name__) ({__name__=~"orderly_.+"})')
    }
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in found}


DECLARED: Mapping[str, Metric] = {shown(metric): metric for metric in declared()}


@pytest.mark.parametrize("label", metrics.LABELS)
def test_no_label_takes_what_a_caller_chooses(live: Observed, label: str) -> None:
    """The load asks for ever new paths and shows ever new tokens."""
    found = {
        labels[label]
        for labels, _ in live.prometheus.query(f'group by ({label}) ({{__name__=~"orderly_.+",{label}!=""}})')
    }
    assert len(found) < 100
    assert [value for value in found if not re.fullmatch(BOUNDS.get(label, r"[\w.-]*"), value)] == []


def test_an_exemplar_leads_to_an_order_that_exists(live: Observed) -> None:
    found = eventually(
        lambda: live.prometheus.exemplars("orderly_saga_seconds_bucket", live.began, time.time() + 1), within=SECONDS
    )
    trace_id = found[-1]["labels"]["trace_id"]
    with records.log_of(live.folder) as log:
        orders = {
            record.key
            for record in records.read(log, topology.events(topology.ORDER))
            if trace_id in record.headers.get("traceparent", "")
        }
    (order_id,) = orders
    shown_order = orderly("order", "show", order_id, "--as", "alice", "--json", data=live.system.data)
    assert json.loads(shown_order.stdout)["order_id"] == order_id


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_can_be_drawn_from_live_data(live: Observed, name: str) -> None:
    picture = draw(BOARDS[name], live.prometheus, Span(live.began, time.time()))
    assert ElementTree.fromstring(picture).tag.endswith("svg")
    assert "no data" not in picture
    assert ('class="exemplar"' in picture) == (name == "sagas")


def test_in_peace_no_alert_fires(live: Observed) -> None:
    """How quick this machine is does not matter here."""
    assert [it["labels"] for it in live.alerts() if it["state"] == "firing" and calm(it["labels"])] == []


def calm(labels: Mapping[str, str]) -> bool:
    return "pace" not in labels and labels.get("slo") not in {
        "acceptance-latency",
        "completion-latency",
        "read-freshness",
    }


class TestFaults:
    """What the fault suite does, done to the live platform; the alerts are those of the quick set."""

    def test_poison_makes_dead_letters(self, live: Observed) -> None:
        with records.log_of(live.folder) as log:
            Poisoner(log, random.Random(1)).poison()
        eventually(lambda: live.fires("OrderlyDeadLetters"), within=SECONDS)

    def test_repeated_commands_are_duplicates(self, live: Observed) -> None:
        with records.log_of(live.folder) as log:
            Poisoner(log, random.Random(1)).repeat(200)
        eventually(lambda: live.fires("OrderlyDuplicates"), within=SECONDS)

    def test_a_killed_process_was_restarted(self, live: Observed) -> None:
        live.send("payment", signal.SIGKILL)
        eventually(lambda: live.fires("OrderlyRestarted"), within=SECONDS)

    def test_a_frozen_process_is_down_and_burns_the_budget_of_availability(self, live: Observed) -> None:
        with live.frozen("order"):
            eventually(lambda: live.fires("OrderlyDown"), within=SECONDS)
            eventually(lambda: live.fires("OrderlyOrderAvailabilityBurnsFast"), within=SECONDS)
