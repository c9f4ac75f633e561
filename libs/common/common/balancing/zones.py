"""Zone-aware: ask in one's own zone, and let the rest spill over when the zone has lost too much to carry it.

A zone with all its endpoints takes all of its clients' requests. It has some room to spare, OVERPROVISION; when less than
what that covers is left, the missing share goes elsewhere, so that losing half a zone does not crush the other half (the rule
of Envoy's locality-weighted load balancing).
"""

import random
from collections.abc import Sequence

from common.balancing.candidate import Candidate

OVERPROVISION = 1.4


def near(
    known: Sequence[Candidate], usable: Sequence[Candidate], zone: str, dice: random.Random
) -> Sequence[Candidate]:
    """Those of `usable` to choose from. `known` includes the ones that are not ready or ejected."""
    here = [candidate for candidate in usable if candidate.endpoint.zone == zone]
    elsewhere = [candidate for candidate in usable if candidate.endpoint.zone != zone]
    if not here or not elsewhere:
        return usable
    whole = _weight([candidate for candidate in known if candidate.endpoint.zone == zone])
    return here if dice.random() < OVERPROVISION * _weight(here) / whole else elsewhere


def _weight(candidates: Sequence[Candidate]) -> float:
    return sum(candidate.endpoint.weight for candidate in candidates)
