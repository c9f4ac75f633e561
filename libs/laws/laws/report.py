"""Verdicts in the shape of `orderly verify --json`, which is fixed: architecture.md, "The public API"."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from laws.verdict import Outcome, Verdict, overall

EXIT: Mapping[Outcome, int] = {"holds": 0, "broken": 1, "unknown": 2}


class LawReport(TypedDict):
    id: str
    verdict: Outcome
    checked: int
    broken: int
    first: str | None
    worst: str | None


class Report(TypedDict):
    verdict: Outcome
    laws: list[LawReport]


def report(verdicts: Sequence[Verdict]) -> Report:
    """What is said of all laws and of each."""
    return {
        "verdict": overall(verdicts),
        "laws": [
            {
                "id": each.id,
                "verdict": each.verdict,
                "checked": each.checked,
                "broken": each.broken,
                "first": each.first,
                "worst": each.worst,
            }
            for each in verdicts
        ],
    }
