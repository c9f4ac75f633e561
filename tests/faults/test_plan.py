"""The plan of a seed: the same whenever it is asked, and fair to every fault."""

from collections import Counter
from itertools import islice

from tests.faults.cards import cards
from tests.faults.plan import Fault, plan
from tests.faults.setting import Setting
from tests.faults.wishes import wishes

SETTING = Setting()
CARDS = cards(SETTING)
SERVICES = [post.name for post in SETTING.shape.posts()]
KAFKA = Setting("kafka", brokers=3, scale=["order.processor=2"])


def test_the_same_seed_is_the_same_plan() -> None:
    assert list(islice(plan(7, CARDS), 50)) == list(islice(plan(7, CARDS), 50))
    assert list(islice(plan(7, CARDS), 50)) != list(islice(plan(8, CARDS), 50))


def test_the_same_seed_wants_the_same() -> None:
    assert list(islice(wishes(7), 50)) == list(islice(wishes(7), 50))
    assert len({wish.key for wish in islice(wishes(7), 5000)}) == 5000


def test_every_process_is_killed_and_frozen_within_a_few_minutes() -> None:
    for seed in range(100):
        dealt, seconds = set[tuple[str, str]](), 0.0
        for round in plan(seed, CARDS):
            seconds += round.seconds
            dealt |= {(fault.kind, fault.victim) for fault in round.faults}
            if seconds > 240:
                break
        assert dealt >= {(kind, name) for kind in ("kill", "freeze") for name in SERVICES}, seed


def test_rounds_have_one_fault_or_several_or_none() -> None:
    sizes = Counter(len(round.faults) for round in islice(plan(1, CARDS), 1000))
    assert set(sizes) == {0, 1, 2, 3}
    assert sizes[1] > 500


def test_no_place_is_hit_twice_in_a_round() -> None:
    for round in islice(plan(1, cards(KAFKA)), 1000):
        places = ["brokers" if fault.victim.startswith("kafka") else fault.victim for fault in round.faults]
        assert len(places) == len(set(places))


def test_every_process_of_the_real_engine_has_its_turn() -> None:
    victims = {fault.victim for round in islice(plan(1, cards(KAFKA)), 100) for fault in round.faults}
    assert victims >= {post.name for post in KAFKA.shape.posts()} | {"kafka-1", "kafka-2", "kafka-3", "redis"}


def test_a_freeze_outlasts_the_lease_and_the_next_round_waits_for_its_end() -> None:
    for round in islice(plan(1, CARDS), 1000):
        freezes = [fault for fault in round.faults if fault.kind == "freeze"]
        assert all(fault.lasts > 1.5 for fault in freezes)
        assert all(round.seconds > fault.lasts for fault in freezes)


def test_a_fault_is_called_by_what_it_does_and_to_whom() -> None:
    assert str(Fault("freeze", "order", 2.0)) == "freeze order"
