"""The setting of the campaigns, from the environment, and the recovery table at the end of the run."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults.campaign import Outcome
from tests.faults.recovery import report, table
from tests.faults.setting import Setting

SETTING = Setting(
    engine=os.environ.get("ORDERLY_TARGET", "embedded"),
    brokers=int(os.environ.get("ORDERLY_BROKERS", "1")),
    rate=float(os.environ.get("ORDERLY_FAULTS_RATE", "50")),
    seconds=float(os.environ.get("ORDERLY_FAULTS_SECONDS", "65")),
)


@dataclass
class Campaigns:
    setting: Setting
    outcomes: list[Outcome] = field(default_factory=list)


@pytest.fixture(scope="session")
def campaigns(pytestconfig: pytest.Config) -> Campaigns:
    pytestconfig.stash[RESULTS] = found = Campaigns(SETTING)
    return found


RESULTS = pytest.StashKey[Campaigns]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    found = config.stash.get(RESULTS, None)
    if found is None or not found.outcomes:
        return
    rows = report(recovery for outcome in found.outcomes for recovery in outcome.recoveries)
    terminalreporter.section(f"recovery: {found.setting}")
    for outcome in found.outcomes:
        terminalreporter.write_line(str(outcome))
    terminalreporter.write_line(table(rows))
    if path := os.environ.get("ORDERLY_FAULTS_REPORT"):
        Path(path).write_text(json.dumps(rows, indent=1))
