"""Outlier ejection: an endpoint that fails while others do not is left out for a while, whatever discovery says of it.

It catches what a health check does not see: an endpoint that answers 500 at once is the least loaded of all and would draw all
requests. Ejected is who failed so many times in a row, or most of the time while the others are well. Never more than a share
of all: when everybody fails, the fault is elsewhere (Envoy's outlier detection).
"""

from collections.abc import Sequence

from common.balancing.candidate import Candidate

IN_A_ROW = 5
ENOUGH = 20  # answers, before a success rate says anything
ILL, WELL = 0.6, 0.9  # success rates
MEMORY = 0.05  # weight of the newest answer in the rate: it remembers the last 20 or so
LARGEST_SHARE = 0.5  # of all endpoints may be out at once
EJECTION = 2.0  # seconds for the first, as many more for each further one in a row
LONGEST_EJECTION = 60.0


def judge(candidate: Candidate, ok: bool, everybody: Sequence[Candidate], now: float) -> None:
    """Take note of an outcome, and eject where that is called for."""
    candidate.answers += 1
    candidate.health += MEMORY * (ok - candidate.health)
    if ok:
        candidate.failures = 0
        if candidate.health > WELL:
            candidate.ejections = 0
        return
    candidate.failures += 1
    if candidate.ejected_until <= now and _stands_out(candidate, everybody) and _may_go(everybody, now):
        candidate.ejections += 1
        candidate.ejected_until = now + min(LONGEST_EJECTION, EJECTION * candidate.ejections)
        candidate.failures = IN_A_ROW - 1  # once it is back, one failure is enough
        candidate.health, candidate.answers = max(candidate.health, ILL), 0


def _stands_out(candidate: Candidate, everybody: Sequence[Candidate]) -> bool:
    if candidate.failures >= IN_A_ROW:
        return True
    others = [other.health for other in everybody if other is not candidate]
    well = bool(others) and sum(others) / len(others) >= WELL
    return well and candidate.health < ILL and candidate.answers >= ENOUGH


def _may_go(everybody: Sequence[Candidate], now: float) -> bool:
    out = sum(candidate.ejected_until > now for candidate in everybody)
    return out + 1 <= LARGEST_SHARE * len(everybody)
