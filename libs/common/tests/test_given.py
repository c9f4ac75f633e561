"""The words of given/when/then tell the truth: a test that should fail does."""

from dataclasses import dataclass, replace

import pytest

from common.clock import Instant
from common.codec import Codec, encode
from common.decider import Behaviour, Decision, Input, Wake
from common.messages import Message, Request, message
from common.testing.given import given


@message
class Add:
    amount: int


@message
class Added:
    amount: int


@dataclass(frozen=True, slots=True)
class Total:
    value: int = 0


def handle(total: Total, heard: Input, at: Instant) -> Decision:
    return Decision([Added(heard.message.amount)], [Request("ledger.commands", heard.key, heard.message)])


def evolve(total: Total, event: Message, at: Instant) -> Total:
    return Total(total.value + event.amount)


COUNTER = Behaviour(
    service="counter",
    initial=Total(),
    handle=handle,
    evolve=evolve,
    commands=Codec([Add]),
    events=Codec([Added]),
    dump=encode,
    load=lambda payload: Total(int(payload.split(b":")[1].rstrip(b"}"))),
    wake=lambda total: Wake(5_000, Add(9)) if total.value else None,
)


def test_what_was_decided_is_given_to_the_next_step() -> None:
    story = given(COUNTER, Added(1)).when(Add(2)).then(Added(2)).sends(Request("ledger.commands", "o1", Add(2)))
    assert story.when(Add(3)).state == Total(6)


def test_a_timer_fires_on_time() -> None:
    story = given(COUNTER, Added(1)).when_due().then(Added(9))
    assert story.now == 5_000
    with pytest.raises(AssertionError, match="no timer"):
        given(COUNTER).when_due()


def test_a_wrong_expectation_fails() -> None:
    story = given(COUNTER).when(Add(2))
    with pytest.raises(AssertionError):
        story.then()
    with pytest.raises(AssertionError):
        story.asks(Add(3))
    with pytest.raises(AssertionError):
        story.sends(Request("other.commands", "o1", Add(2)))


def test_a_checkpoint_that_loses_something_fails() -> None:
    with pytest.raises(AssertionError, match="checkpoint"):
        given(replace(COUNTER, load=lambda payload: Total()), Added(1))


def test_an_event_that_the_codec_does_not_know_fails() -> None:
    with pytest.raises(Exception, match="Added"):
        given(replace(COUNTER, events=Codec([])), Added(1))
