"""A service's behaviour as data: pure functions that a processor, a simulation and a test call alike.

    handle(state, message, at) -> Decision(events, requests)      what one input makes happen
    evolve(state, event, at)   -> state                           the same on replay as it was live

In Python a module is a decider: `domain.py` and `saga.py` hold the rules, `handlers.py` exports one `BEHAVIOUR`.
(Jérémie Chassaing, "Functional Event Sourcing Decider", 2021.)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from common.clock import Instant
from common.codec import Codec
from common.messages import Envelope, Message, Request

S = TypeVar("S")


class Decision(msgspec.Struct, frozen=True):
    """The events go to the aggregate's history, the requests to others, in one transaction."""

    events: Sequence[Message] = ()
    requests: Sequence[Request] = ()


class Input(msgspec.Struct, frozen=True):
    """What a decision is made upon: the message and who sent it. A timer's envelope has the service as its actor."""

    key: str
    message: Message
    envelope: Envelope


class Wake(msgspec.Struct, frozen=True):
    """The aggregate wants to hear `timer` at `at`, unless something happens first."""

    at: Instant
    timer: Message


class Effect(msgspec.Struct, frozen=True):
    """Something to be done in the world outside, under an idempotency key; its answer comes back as an input."""

    id: str  # the idempotency key: the same for every attempt of one operation
    intent: Any
    traceparent: str = ""


def nothing(_: Any) -> None:
    return None


def unnamed(_: Any) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Behaviour(Generic[S]):
    """Everything a processor needs to know of a service.

    `wake` tells the next timer of a state, `effect` what the state is waiting for in the world outside, `forget_at` when a
    finished aggregate may leave memory (None: it lives on). `dump` and `load` are the state's checkpoint form.
    """

    service: str
    initial: S
    handle: Callable[[S, Input, Instant], Decision]
    evolve: Callable[[S, Message, Instant], S]
    commands: Codec
    events: Codec
    dump: Callable[[S], bytes]
    load: Callable[[bytes], S]
    wake: Callable[[S], Wake | None] = nothing
    effect: Callable[[S], Effect | None] = nothing
    forget_at: Callable[[S], Instant | None] = nothing
    replies: frozenset[str] = frozenset()  # names of message types that are answers, not commands
    step: Callable[[S], str] = unnamed  # where the story of a state stands, for people
    outcomes: Mapping[str, str] = field(default_factory=dict)  # how it ends: by the name of the event that says so
