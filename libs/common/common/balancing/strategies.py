"""The strategies, each a pure function of the candidates and the request; randomness is an argument.

round_robin        in turn: right where endpoints and requests are all alike
weighted           in proportion to weights, interleaved, not in runs (stride scheduling; Waldspurger & Weihl, 1995)
least_in_flight    the one with the fewest requests in work, for its weight: notices a slow one by itself
two_choices        the better of two drawn at random: nearly as good, without a herd where many clients know a little late
                   (Mitzenmacher, "The Power of Two Choices", 2001)
ewma               the better of two by latency times queue: avoids what is slow before requests pile up there
consistent_hash    the same key to the same endpoint, for its cache's sake; see common.balancing.ring
"""

from collections.abc import Mapping, Sequence

from common.balancing.candidate import Ask, Candidate, Strategy
from common.balancing.ring import consistent_hash

UNKNOWN = 1.0  # seconds: the latency of an endpoint that has a request in work and has never answered one


def round_robin(candidates: Sequence[Candidate], ask: Ask) -> Candidate:
    return candidates[ask.number % len(candidates)]


def weighted(candidates: Sequence[Candidate], ask: Ask) -> Candidate:
    return min(candidates, key=lambda candidate: candidate.turns + 1.0 / candidate.endpoint.weight)


def least_in_flight(candidates: Sequence[Candidate], ask: Ask) -> Candidate:
    """Among equals in turn."""
    least = min(candidate.load for candidate in candidates)
    return round_robin([candidate for candidate in candidates if candidate.load == least], ask)


def two_choices(candidates: Sequence[Candidate], ask: Ask) -> Candidate:
    return min(_two(candidates, ask), key=lambda candidate: candidate.load)


def ewma(candidates: Sequence[Candidate], ask: Ask) -> Candidate:
    def cost(candidate: Candidate) -> float:
        latency = candidate.latency_at(ask.now)
        if not latency and candidate.in_flight:
            latency = UNKNOWN
        return latency * (candidate.in_flight + 1) / candidate.endpoint.weight

    return min(_two(candidates, ask), key=cost)


def _two(candidates: Sequence[Candidate], ask: Ask) -> Sequence[Candidate]:
    return candidates if len(candidates) < 3 else ask.dice.sample(candidates, 2)


STRATEGIES: Mapping[str, Strategy] = {
    strategy.__name__: strategy
    for strategy in (round_robin, weighted, least_in_flight, two_choices, ewma, consistent_hash)
}
