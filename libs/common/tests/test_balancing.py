"""Each strategy keeps its promise, whatever the endpoints and their loads."""

import math
import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from common.balancing import STRATEGIES, Ask, Candidate, ring, zones
from common.balancing.balancer import Balancer
from common.discovery import Endpoint
from common.errors import Unavailable

WEIGHTS = st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0]), min_size=1, max_size=8)
LOADS = st.lists(st.integers(0, 50), min_size=1, max_size=12)


def endpoints(weights: Sequence[float], zone: str = "") -> list[Endpoint]:
    return [Endpoint(f"http://{zone or 'host'}{number}", zone, weight) for number, weight in enumerate(weights)]


def loaded(loads: Sequence[int]) -> list[Candidate]:
    return [Candidate(it, in_flight=load) for it, load in zip(endpoints([1.0] * len(loads)), loads, strict=True)]


def ask(number: int = 0, key: str = "", seed: int = 0, now: float = 0.0) -> Ask:
    return Ask(number, now, random.Random(seed), key)


def balancer(strategy: str, weights: Sequence[float], *, ejection: bool = False) -> Balancer:
    found = Balancer(STRATEGIES[strategy], "", ejection, lambda: 0.0, random.Random(1))
    found.update(endpoints(weights))
    return found


def spread(found: Balancer, requests: int) -> Counter[str]:
    """Where that many requests go, each answered at once."""
    asked: Counter[str] = Counter()
    for number in range(requests):
        candidate = found.pick(f"/v1/things/{number}")
        found.end(candidate, found.begin(candidate), True)
        asked[candidate.endpoint.address] += 1
    return asked


@pytest.mark.parametrize("name", STRATEGIES)
@given(loads=LOADS, seed=st.integers(0, 100))
def test_every_strategy_picks_one_of_those_there_are(name: str, loads: Sequence[int], seed: int) -> None:
    candidates = loaded(loads)
    assert STRATEGIES[name](candidates, ask(seed, str(seed), seed)) in candidates


@pytest.mark.parametrize("name", STRATEGIES)
@given(loads=LOADS, seed=st.integers(0, 100))
def test_every_strategy_is_a_pure_function(name: str, loads: Sequence[int], seed: int) -> None:
    candidates = loaded(loads)
    picks = [STRATEGIES[name](candidates, ask(seed, str(seed), seed)) for _ in range(2)]
    assert picks[0] is picks[1]
    assert [candidate.in_flight for candidate in candidates] == loads


@given(size=st.integers(1, 9), rounds=st.integers(1, 5))
def test_round_robin_gives_each_the_same(size: int, rounds: int) -> None:
    assert set(spread(balancer("round_robin", [1.0] * size), size * rounds).values()) == {rounds}


@given(weights=WEIGHTS, requests=st.integers(1, 200))
def test_weights_are_respected_at_every_moment(weights: Sequence[float], requests: int) -> None:
    found = balancer("weighted", weights)
    asked: Counter[str] = Counter()
    for number in range(1, requests + 1):
        asked += spread(found, 1)
        for endpoint in endpoints(weights):
            due = number * endpoint.weight / sum(weights)
            assert abs(asked[endpoint.address] - due) < len(weights)


def test_weights_are_interleaved_and_not_in_runs() -> None:
    found = balancer("weighted", [3.0, 1.0])
    order = [next(iter(spread(found, 1))) for _ in range(8)]
    assert "http://host1" in order[:4] and "http://host1" in order[4:]


def test_a_new_endpoint_starts_level_and_is_not_flooded() -> None:
    found = balancer("weighted", [1.0, 1.0])
    spread(found, 100)
    found.update(endpoints([1.0, 1.0, 1.0]))
    assert max(spread(found, 9).values()) <= 4


@given(loads=LOADS, seed=st.integers(0, 100))
def test_least_in_flight_has_the_least(loads: Sequence[int], seed: int) -> None:
    assert STRATEGIES["least_in_flight"](loaded(loads), ask(seed)).in_flight == min(loads)


@given(loads=st.lists(st.integers(0, 50), min_size=2, max_size=12, unique=True), seed=st.integers(0, 100))
def test_two_choices_never_picks_the_fullest(loads: Sequence[int], seed: int) -> None:
    assert STRATEGIES["two_choices"](loaded(loads), ask(seed=seed)).in_flight < max(loads)


@given(slow=st.floats(0.1, 10), quick=st.floats(0.001, 0.01), seed=st.integers(0, 100))
def test_ewma_prefers_the_quick_one(slow: float, quick: float, seed: int) -> None:
    candidates = loaded([0, 0])
    candidates[0].observe(slow, 0.0)
    candidates[1].observe(quick, 0.0)
    assert STRATEGIES["ewma"](candidates, ask(seed=seed)) is candidates[1]


def test_ewma_goes_up_at_once_down_slowly_and_fades() -> None:
    candidate = Candidate(Endpoint("a"))
    candidate.observe(1.0, 0.0)
    candidate.observe(0.0, 1.0)
    assert 0.8 < candidate.latency < 1.0
    candidate.observe(2.0, 2.0)
    assert candidate.latency == 2.0
    assert candidate.latency_at(100.0) < 0.001


def test_ewma_does_not_flood_an_endpoint_that_has_never_answered() -> None:
    known, new = loaded([0, 0])
    known.observe(0.01, 0.0)
    assert STRATEGIES["ewma"]([known, new], ask()) is new
    new.in_flight = 1
    assert STRATEGIES["ewma"]([known, new], ask()) is known


@given(loads=LOADS, key=st.text(max_size=8))
def test_a_bounded_load_is_never_exceeded(loads: Sequence[int], key: str) -> None:
    candidates = loaded(loads)
    picked = STRATEGIES["consistent_hash"](candidates, ask(key=key))
    bound = ring.bound(sum(loads) + 1, 1 / len(loads))
    assert picked.in_flight + 1 <= bound
    assert bound <= math.ceil(ring.FILL * (sum(loads) + 1) / len(loads)) + 1  # rounding of the share


@given(weights=WEIGHTS, key=st.text(max_size=8))
def test_a_key_stays_where_it_is_as_long_as_there_is_room(weights: Sequence[float], key: str) -> None:
    found = balancer("consistent_hash", weights)
    assert found.pick(key) is found.pick(key)


@given(weights=st.lists(st.just(1.0), min_size=2, max_size=8), gone=st.integers(0, 7))
def test_an_endpoint_that_goes_moves_only_its_own_keys(weights: Sequence[float], gone: int) -> None:
    assume(gone < len(weights))
    before = tuple((endpoint.address, endpoint.weight) for endpoint in endpoints(weights))
    after = before[:gone] + before[gone + 1 :]
    for number in range(50):
        owner = before[next(ring.owners(before, str(number)))]
        if owner != before[gone]:
            assert after[next(ring.owners(after, str(number)))] == owner


def test_the_ring_shares_fairly() -> None:
    nodes = tuple((f"http://host{number}", 1.0) for number in range(5))
    keys = Counter(next(ring.owners(nodes, str(number))) for number in range(5_000))
    assert all(700 < keys[index] < 1_300 for index in range(5))


def zone_share(here: Sequence[bool], there: int) -> float:
    """The share of requests that stay in zone `a`, of whose endpoints some are usable."""
    mine = [Candidate(endpoint) for endpoint in endpoints([1.0] * len(here), "a")]
    others = [Candidate(endpoint) for endpoint in endpoints([1.0] * there, "b")]
    usable = [it for it, up in zip(mine, here, strict=True) if up] + others
    dice = random.Random(1)
    stayed = 0
    for _ in range(1_000):
        chosen = {it.endpoint.zone for it in zones.near([*mine, *others], usable, "a", dice)}
        stayed += chosen == {"a"}
    return stayed / 1_000


def test_requests_stay_in_their_zone_while_it_can_carry_them() -> None:
    assert zone_share([True, True, True, True], 4) == 1.0
    assert zone_share([True, True, True, False], 4) == 1.0  # what three of four can carry with room to spare


def test_what_a_damaged_zone_cannot_carry_spills_over() -> None:
    assert zone_share([True, True, False, False], 4) == pytest.approx(0.7, abs=0.05)
    assert zone_share([True, False, False, False], 4) == pytest.approx(0.35, abs=0.05)


def test_with_nobody_in_the_zone_or_outside_all_are_taken() -> None:
    assert zone_share([False, False], 4) == 0.0
    assert zone_share([True, False], 0) == 1.0


def test_the_balancer_prefers_ready_ones_and_ones_not_tried_but_takes_what_there_is() -> None:
    found = balancer("round_robin", [1.0, 1.0])
    first, second = found.candidates
    assert found.pick("", [first]) is second
    found.update([Endpoint("http://host0", ready=False), Endpoint("http://host1")])
    assert all(found.pick("") is second for _ in range(4))
    assert found.pick("", [second]) is first  # not ready, and better than the one that has just failed
    assert found.pick("", [first, second]) in (first, second)
    assert (found.count("usable"), found.count("unready")) == (1, 1)


def test_what_was_seen_of_an_endpoint_outlives_an_update() -> None:
    found = balancer("ewma", [1.0, 1.0])
    found.candidates[0].observe(5.0, 0.0)
    found.update(endpoints([1.0, 1.0, 1.0]))
    assert found.candidates[0].latency == 5.0


def test_nobody_known_is_unavailable() -> None:
    found = balancer("round_robin", [])
    with pytest.raises(Unavailable, match="no endpoint"):
        found.pick("")
