"""A report of an earlier auditor never takes the place of a later one's, and an auditor outlives a log that is away."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common import leader
from common.errors import Fenced
from laws import Verdict
from orderly import verification
from orderly.auditing import Auditor, Reports
from orderly.failure import Failure
from orderly.folder import Folder


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


class Enough(Exception):
    """The test has seen what it wanted."""


async def test_what_cannot_be_read_is_told_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: Iterator[Any] = iter(
        [Failure("no ledger"), [Verdict("L1", "one law", "holds")], Failure("kafka: away"), Enough()]
    )
    said: list[dict[str, Any]] = []

    def look(*_: object) -> Any:
        found = next(looks)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(verification, "verify", look)
    auditor = Auditor(Folder(tmp_path), leader.lease("auditor", tmp_path), 10, 0.01, said.append)
    with pytest.raises(Enough):
        await auditor.run()
    assert [it["verdict"] for it in said if "verdict" in it] == ["holds"]
    assert [it["unread"] for it in said if "unread" in it] == ["no ledger", "kafka: away"]


async def test_an_auditor_that_is_to_look_once_and_cannot_ends(tmp_path: Path) -> None:
    auditor = Auditor(Folder(tmp_path), leader.lease("auditor", tmp_path), 10, 0.01, lambda _: None)
    with pytest.raises(Failure, match="there is no log"):
        await auditor.run(times=1)
