"""Three seeds of trouble under a constant load: no law breaks, nothing acknowledged is lost, and every order ends."""

from pathlib import Path

import pytest

from tests.faults.campaign import run
from tests.faults.conftest import Campaigns

SEEDS = (1, 2, 3)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]


@pytest.mark.parametrize("seed", SEEDS)
def test_all_laws_hold_whatever_is_killed_frozen_poisoned_or_repeated(
    seed: int, campaigns: Campaigns, tmp_path: Path
) -> None:
    outcome = run(seed, campaigns.setting, tmp_path)
    print(outcome)
    campaigns.outcomes.append(outcome)
    assert not outcome.wrong
    assert outcome.orders and all(order.completed < float("inf") for order in outcome.orders)
