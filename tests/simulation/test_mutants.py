"""The simulation is worth something: it notices when a rule is missing."""

import pytest

from tests.simulation import runner
from tests.simulation.mutants import HARMLESS, MUTANTS
from tests.simulation.schedule import run
from tests.simulation.story import story

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(120)]

LIMIT = 3_000  # schedules; nearly all are caught within fifty


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(name: str) -> None:
    assert runner.catch(name, LIMIT), f"{name} lives: {MUTANTS[name].why}"


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_change_breaks_no_law(name: str) -> None:
    caught = runner.catch(name, 200)
    assert not caught, runner.explain(caught, name)


def test_the_story_of_a_failure_is_short_and_can_be_told_again() -> None:
    name = "no-void-on-silence"
    caught, parts = runner.catch(name, LIMIT), MUTANTS[name].parts
    assert caught
    short = runner.shortest(caught, parts)
    assert short.broken == run(short.plan, parts).broken
    told = story(short.plan, parts)
    assert len(told.splitlines()) < 50, told
    assert f"--seed {caught.plan.seed} --mutant {name}" in runner.explain(caught, name)
