"""The recovery table at the end of the run, one for each platform."""

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

from tests.faults.campaign import Outcome
from tests.faults.recovery import report, table

OUTCOMES = pytest.StashKey[list[Outcome]]()


@pytest.fixture(scope="session")
def outcomes(pytestconfig: pytest.Config) -> list[Outcome]:
    """What became of the campaigns of this run."""
    return pytestconfig.stash.setdefault(OUTCOMES, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    by_platform: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in config.stash.get(OUTCOMES, []):
        by_platform[str(outcome.setting)].append(outcome)
    rows = {
        platform: report(recovery for outcome in outcomes for recovery in outcome.recoveries)
        for platform, outcomes in by_platform.items()
    }
    for platform, outcomes in by_platform.items():
        terminalreporter.section(f"recovery: {platform}")
        for outcome in outcomes:
            terminalreporter.write_line(str(outcome))
        terminalreporter.write_line(f"\n{table(rows[platform])}")
    if rows and (path := os.environ.get("ORDERLY_FAULTS_REPORT")):
        Path(path).write_text(json.dumps(rows, indent=1))
