"""A report of an earlier auditor never takes the place of a later one's."""

from pathlib import Path

import pytest

from common.errors import Fenced
from orderly.auditing import Reports


def test_an_older_token_is_refused_and_the_later_report_stays(tmp_path: Path) -> None:
    reports = Reports(tmp_path / "audit.db")
    assert reports.last() is None
    reports.keep(1, {"by": "one"})
    reports.keep(2, {"by": "two"})
    with pytest.raises(Fenced):
        reports.keep(1, {"by": "one, frozen and back"})
    assert reports.last() == {"by": "two"}
    reports.keep(2, {"by": "two, again"})
    assert reports.last() == {"by": "two, again"}
