"""What the outside answers to an effect is an input like any other."""

import threading

import pytest

from common import topology
from common.codec import decode_history
from common.messages import Envelope
from common.testing.toy import KEY, SERVICE, World, run


@pytest.fixture
def world() -> World:
    return World()


def test_an_answer_to_an_effect_is_decided_upon_and_leaves_one_record_like_any_other_input(world: World) -> None:
    processor = world.processor()
    world.send(5)
    run(processor)
    world.answer(1)
    world.answer(0)
    assert processor.step() == 2
    assert world.history() == [(1, ["Added"]), (2, ["Added"]), (2, [])]
    record = world.records(topology.events(SERVICE))[1]
    cause, envelope = decode_history(record.value or b"").cause, Envelope.of(record.headers)
    assert (cause.kind, cause.type, cause.topic, cause.id) == ("reply", "Add", "", "counter.answer-c1-1")
    assert (envelope.actor, envelope.correlation, envelope.causation) == ("service:outside", KEY, cause.id)
    assert [it.headers["id"] for it in world.records("elsewhere.commands")][1:] == [f"{cause.id}.1"]


def test_an_answer_wakes_a_step_that_waits(world: World) -> None:
    processor = world.processor()
    run(processor)
    threading.Timer(0.05, world.answer, [1]).start()
    processor.step(20.0)
    run(processor)
    assert world.history() == [(1, ["Added"])]


def test_an_answer_for_a_partition_of_another_is_left_to_its_owner_who_asks_again(world: World) -> None:
    first = world.processor("a")
    world.send(5)
    run(first)
    world.log.expire("g", "a")
    run(world.processor("b"))
    world.answer(1)
    run(first)
    assert world.history() == [(1, ["Added"])]
    assert world.offered == [(KEY, "tell 5", False), (KEY, "tell 5", True)]


def test_what_was_answered_is_decided_upon_before_a_processor_leaves(world: World) -> None:
    processor = world.processor()
    run(processor)
    world.answer(1)
    processor.close()
    assert world.history() == [(1, ["Added"])]


def test_an_answer_that_nobody_can_decide_upon_is_a_dead_letter(world: World) -> None:
    processor = world.processor()
    run(processor)
    world.answer(13)
    run(processor)
    (dead,) = world.records(topology.dead_letters(SERVICE))
    assert dead.headers["dead_topic"] == "" and dead.headers["dead_reason"].startswith("decide failed")
    assert not world.answers.waiting
