"""One of three real processes is killed, frozen, slow, silent or broken under load, and its callers do not notice; without
guards they do. The figures, before, during and after: bench/resilience.py and docs/patterns.md."""

import pytest

from common.resilience.policy import Policy
from common.testing.replicas import Phase, ordeal

RATE = 40.0
BEFORE, DURING, AFTER = 2.0, 5.0, 8.0  # seconds
GUARDED = Policy(deadline=4.0, hedge=0.3)
UNGUARDED = Policy(deadline=2.0, balancing="round_robin", attempts=1, breaker=0.0, bulkhead=0, ejection=False)

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]


async def during(kind: str, policy: Policy) -> Phase:
    phases = await ordeal(kind, policy, RATE, before=BEFORE, during=DURING)
    print(kind, {name: f"{phase.failures:.1%} p99 {phase.quantile(0.99):.3f} s" for name, phase in phases.items()})
    assert phases["before"].failures == 0
    return phases["during"]


@pytest.mark.parametrize("kind", ["killed", "frozen", "slow", "black hole", "errors at once"])
async def test_with_all_guards_hardly_a_caller_notices_one_bad_replica_of_three(kind: str) -> None:
    assert (await during(kind, GUARDED)).failures <= 0.05


@pytest.mark.parametrize("kind", ["killed", "frozen", "black hole", "errors at once"])
async def test_without_guards_a_third_of_the_callers_do(kind: str) -> None:
    assert 0.25 < (await during(kind, UNGUARDED)).failures < 0.45


async def test_what_is_frozen_altogether_is_refused_at_once_by_the_breaker() -> None:
    guarded = await during("all frozen", Policy(deadline=1.0))
    assert guarded.refused > 0.1 * len(guarded.latencies)
    assert (await during("all frozen", Policy(deadline=1.0, breaker=0.0))).refused == 0


async def test_a_replica_that_is_well_again_is_asked_again() -> None:
    phases = await ordeal("errors at once", GUARDED, RATE, before=BEFORE, during=DURING, after=AFTER)
    assert len(phases["after"].by_replica) == 3
