"""What is said of a law: it holds, it is broken, or it is too early to tell; with counts and the best evidence.

A law that had nothing to check holds, with `checked` 0: read the counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["holds", "broken", "unknown"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`first` and `worst` are counterexamples; where nothing is broken but something is still open, `first` tells that."""

    id: str
    law: str
    verdict: Outcome
    checked: int = 0
    broken: int = 0
    open: int = 0
    first: str | None = None
    worst: str | None = None


class Tally:
    """Counts what was checked and remembers the first and the heaviest counterexample."""

    def __init__(self, id: str, law: str) -> None:
        self.checked = 0
        self._id = id
        self._law = law
        self._broken = 0
        self._open = 0
        self._first: str | None = None
        self._worst: tuple[int, str] | None = None
        self._first_open: str | None = None

    def broke(self, sentence: str, weight: int = 1) -> None:
        self._broken += 1
        self._first = self._first or sentence
        if self._worst is None or weight > self._worst[0]:
            self._worst = weight, sentence

    def open(self, sentence: str) -> None:
        """It may still turn out well: only time will tell."""
        self._open += 1
        self._first_open = self._first_open or sentence

    def judge(self, sentence: str, *, recent: bool, weight: int = 1) -> None:
        """Broken, unless it is so recent that the missing part may be on its way."""
        if recent:
            self.open(sentence)
        else:
            self.broke(sentence, weight)

    def verdict(self) -> Verdict:
        outcome: Outcome = "broken" if self._broken else "unknown" if self._open else "holds"
        worst = self._worst[1] if self._worst else None
        first = self._first or self._first_open
        return Verdict(self._id, self._law, outcome, self.checked, self._broken, self._open, first, worst)


def overall(verdicts: Iterable[Verdict]) -> Outcome:
    """Broken if any law is, else unknown if any is, else holds."""
    found = {verdict.verdict for verdict in verdicts}
    return "broken" if "broken" in found else "unknown" if "unknown" in found else "holds"
