"""The workflows say nothing that there is not, and run nothing that may be another thing tomorrow."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.helm import ROOT

pytestmark = [pytest.mark.chart, pytest.mark.timeout(30)]

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.name)
def text(request: pytest.FixtureRequest) -> str:
    path: Path = request.param
    return path.read_text()


def test_an_action_of_others_is_pinned_by_its_commit(text: str) -> None:
    assert [it for it in re.findall(r"uses: *(\S+)", text) if not re.search(r"@[0-9a-f]{40}$", it)] == []


def test_every_verb_is_one_of_make(text: str) -> None:
    verbs = set(re.findall(r"^([a-z][a-z-]*):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", text)) <= verbs


def test_every_job_says_what_it_may_do_and_how_long(text: str) -> None:
    found: dict[str, Any] = yaml.safe_load(text)
    assert found["permissions"]["contents"] == "read"
    assert all(job["timeout-minutes"] <= 60 for job in found["jobs"].values())
