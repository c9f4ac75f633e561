"""Every dashboard keeps to the rules of the house, and the rules are such that what breaks them is found."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from deploy.observability.dashboards.board import render
from deploy.observability.dashboards.boards import BOARDS
from deploy.observability.dashboards.lint import complaints

Break = Callable[[dict[str, Any]], Any]


def made(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render(BOARDS[name]))
    return found


@pytest.mark.parametrize("name", BOARDS)
def test_nothing_is_to_be_said_against_a_dashboard(name: str) -> None:
    assert complaints(made(name)) == []


def test_no_two_dashboards_share_an_address_or_a_title() -> None:
    boards = [made(name) for name in BOARDS]
    assert len({it["uid"] for it in boards}) == len({it["title"] for it in boards}) == len(boards)


BREAKS: dict[str, Break] = {
    "no uid": lambda it: it.update(uid=""),
    "no description": lambda it: it.update(description=""),
    "variable": lambda it: it["templating"]["list"].clear(),
    "one id": lambda it: it["panels"][1].update(id=it["panels"][0]["id"]),
    "no title": lambda it: it["panels"][0].update(title=""),
    "no unit": lambda it: it["panels"][0]["fieldConfig"]["defaults"].pop("unit"),
    "upon each other": lambda it: it["panels"][1].update(gridPos=it["panels"][0]["gridPos"]),
    "wider": lambda it: it["panels"][0]["gridPos"].update(x=23),
    "asks for nothing": lambda it: it["panels"][0].update(targets=[]),
    "of its own": lambda it: it["panels"][0]["targets"][0]["datasource"].update(uid="mine"),
    "fixed time": lambda it: it["panels"][0]["targets"][0].update(expr="rate(a_total[5m])"),
}


@pytest.mark.parametrize("said", BREAKS)
def test_what_breaks_a_rule_is_complained_about(said: str) -> None:
    broken = copy.deepcopy(made("overview"))
    BREAKS[said](broken)
    assert any(said in it for it in complaints(broken))
