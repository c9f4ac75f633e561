"""Every alert fires when it should and else is quiet, by Prometheus' own tool, and has a page that says what to do."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml

from deploy.observability.__main__ import FILES, ROOT
from deploy.observability.prometheus import find
from deploy.observability.rules import alerts, slos
from deploy.observability.rules.rule import Alert, Group
from tests.faults.alarms import alarm
from tests.faults.cards import cards
from tests.faults.setting import SCALED, Setting
from tests.observability import cases

RUNBOOKS = ROOT / "docs/runbooks"
RULES = sorted((ROOT / FILES / "rules").glob("*.yaml"))


def groups() -> Sequence[Group]:
    return [*slos.groups(), *alerts.groups()]


def all_alerts() -> Iterator[Alert]:
    for group in groups():
        yield from (rule for rule in group.rules if isinstance(rule, Alert))


ALERTS = {alert.name: alert for alert in all_alerts()}


def unit(name: str, series: cases.Series, minutes: int, fires: bool) -> dict[str, object]:
    state = f'count(ALERTS{{alertname="{name}",alertstate="firing"}})'
    return {
        "name": f"{name} {'fires' if fires else 'is quiet'}",
        "interval": "1m",
        "input_series": [{"series": it, "values": values} for it, values in series.items()],
        "promql_expr_test": [
            {"expr": state, "eval_time": f"{minutes}m", "exp_samples": [{"labels": "{}", "value": 1}] if fires else []}
        ],
    }


@pytest.mark.prometheus
@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_fires_when_it_should_and_else_is_quiet(name: str, tmp_path: Path) -> None:
    case = cases.ALL[name]
    tests = [unit(name, case.fires, case.minutes, True), unit(name, case.quiet, case.minutes, False)]
    file = tmp_path / "test.yaml"
    file.write_text(
        json.dumps({"rule_files": [str(path) for path in RULES], "evaluation_interval": "1m", "tests": tests})
    )
    done = subprocess.run(
        [find("promtool"), "test", "rules", file], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.prometheus
def test_prometheus_takes_the_rules(tmp_path: Path) -> None:
    done = subprocess.run([find("promtool"), "check", "rules", *RULES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_case_is_for_an_alert_that_there_is_not() -> None:
    assert set(cases.ALL) == set(ALERTS)


def test_no_two_alerts_share_a_name() -> None:
    names = [alert.name for alert in all_alerts()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("alert", ALERTS.values(), ids=lambda it: it.name)
def test_an_alert_has_a_runbook_that_knows_it(alert: Alert) -> None:
    page = (RUNBOOKS / f"{alert.runbook}.md").read_text()
    assert f"`{alert.name}`" in page
    for section in ("## What it means", "## Look", "## Do"):
        assert section in page


def test_no_runbook_is_for_an_alert_that_there_is_not() -> None:
    written = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    assert written == {alert.runbook for alert in ALERTS.values()}


def test_every_fault_of_the_suite_has_an_alert() -> None:
    for setting in (Setting(), Setting("kafka"), Setting("kafka", brokers=3, scale=SCALED)):
        assert {alarm(card, setting.brokers) for card in cards(setting)} <= set(ALERTS)


def test_the_rules_in_the_chart_are_plain_yaml() -> None:
    for path in RULES:
        assert yaml.safe_load(path.read_text())["groups"]
