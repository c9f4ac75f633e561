"""How long the platform was away after each fault, as its clients saw it, against the targets.

All times count from the moment at which the fault began, also where it lasts: a frozen process cannot answer before it is
thawed, unless another takes over. Only orders that came due after that moment count, and orders come due at a constant
rate, so a platform that stands still cannot hide it.
"""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

from tests.faults.plan import Promise, Round

SLOW = 1.0  # seconds until an order is accepted: more is a disturbance


@dataclass(slots=True)
class Told:
    """What the client of one order saw, and when, on one monotonic clock. `inf`: not yet. `sent`: later
    than `due` where the load could not keep up; `looked`: it was shown a product.
    `waits`: it wanted to be answered with the outcome."""

    due: float
    sent: float = inf
    waits: bool = False
    looked: float = inf
    accepted: float = inf
    completed: float = inf
    errors: list[tuple[float, str]] = field(default_factory=list)

    @property
    def disturbed(self) -> bool:
        """Refused at first, or accepted slowly. Of one that was answered with its outcome this cannot be told."""
        return not self.waits and (self.accepted - self.due > SLOW or any(at < self.accepted for at, _ in self.errors))


@dataclass(frozen=True, slots=True)
class Struck:
    """A round that really happened: `at` its faults began, `until` the next round or the end of the load."""

    round: Round
    at: float
    until: float


@dataclass(frozen=True, slots=True)
class Recovery:
    """Seconds after the fault: until a product was `read`; until a new order was `accepted`; until one was `completed`; until
    the last order that was `disturbed` was accepted. `errors`: answers that were none."""

    fault: str
    read: float
    accepted: float
    completed: float
    disturbed: float
    errors: int
    promise: Promise | None = None

    @property
    def kept(self) -> bool | None:
        """Whether the promise was; None where there is none."""
        if self.promise is None:
            return None
        if self.promise.what == "request":
            return self.errors == 0
        late = self.read if self.promise.what == "read" else max(self.accepted, self.completed)
        return late <= self.promise.seconds


def measure(struck: Struck, orders: Sequence[Told]) -> Recovery | None:
    """None when no order came due any more: the load had ended, or could not keep up."""
    since = [order for order in orders if order.due >= struck.at]
    if not since:
        return None
    meanwhile = [order for order in since if order.due < struck.until - SLOW]  # not those that the next round met
    troubled = [order.accepted for order in meanwhile if order.disturbed]
    return Recovery(
        name_of(struck.round),
        min((order.looked for order in since), default=inf) - struck.at,
        min((order.accepted for order in since), default=inf) - struck.at,
        min((order.completed for order in since), default=inf) - struck.at,
        max(troubled, default=struck.at) - struck.at,
        sum(struck.at <= at < struck.until for order in orders for at, _ in order.errors),
        struck.round.faults[0].promise if len(struck.round.faults) == 1 else None,
    )


def name_of(round: Round) -> str:
    """One fault has its name; several together are told from those that came alone."""
    return str(round) if len(round.faults) < 2 else "several at once"


def report(recoveries: Iterable[Recovery]) -> list[dict[str, Any]]:
    """A row for each fault: how often it came, then median and worst of each figure."""
    by_fault: dict[str, list[Recovery]] = {}
    for recovery in recoveries:
        by_fault.setdefault(recovery.fault, []).append(recovery)
    rows = []
    for fault, found in sorted(by_fault.items()):
        figures = {
            name: {"median": statistics.median(values), "worst": max(values)}
            for name in ("read", "accepted", "completed", "disturbed", "errors")
            if (values := [round(float(getattr(it, name)), 2) for it in found])
        }
        kept = [it.kept for it in found if it.kept is not None]
        promise = {"promise": str(found[0].promise), "kept": sum(kept)} if kept else {}
        rows.append({"fault": fault, "times": len(found), **promise, **figures})
    return rows


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows in Markdown. Figures are `median / worst`, in seconds but for the errors."""
    lines = [
        "| fault | times | first read | first accepted | first completed | last disturbed | client errors | target | kept |",
        "|---|---:|---:|---:|---:|---:|---:|---|---:|",
    ]
    for row in rows:
        pairs = [(row[name]["median"], row[name]["worst"]) for name in ("read", "accepted", "completed", "disturbed")]
        seconds = [f"{median:.2f} / {worst:.2f}" for median, worst in pairs]
        errors = f"{row['errors']['median']:.0f} / {row['errors']['worst']:.0f}"
        kept = f"{row['kept']} of {row['times']}" if "kept" in row else ""
        cells = [row["fault"], str(row["times"]), *seconds, errors, row.get("promise", ""), kept]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
