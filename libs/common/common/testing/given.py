"""Given what happened, when this arrives, then that is decided: tests of any `Behaviour`, in the words of its messages.

    given(BEHAVIOUR, ProductPut("Tea", EUR)).when(ReserveStock("tea", "o1", 3, 10_000)).then(StockRefused(...)).asks()

What was decided becomes part of what is given, so that a story goes on with the next `.when`. On the way every event
goes over the wire and every state through its checkpoint: what does not survive that fails the test.
"""

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from common.clock import Instant
from common.codec import encode
from common.decider import Behaviour, Decision, Input
from common.messages import Envelope, Message, Request

S = TypeVar("S")

NOTHING_YET = Decision()


@dataclass(frozen=True, slots=True)
class Scenario(Generic[S]):
    """Immutable: each step gives a new one, and several may go on from the same point."""

    behaviour: Behaviour[S]
    state: S
    now: Instant
    key: str
    decision: Decision = NOTHING_YET

    def at(self, now: Instant) -> "Scenario[S]":
        return replace(self, now=now)

    def given(self, *events: Message) -> "Scenario[S]":
        codec, state = self.behaviour.events, self.state
        for event in events:
            name = type(event).__name__
            state = self.behaviour.evolve(state, codec.decode(name, codec.version(name), encode(event)), self.now)
        assert self.behaviour.load(self.behaviour.dump(state)) == state, "a checkpoint loses something of the state"
        return replace(self, state=state)

    def when(self, message: Message, *, actor: str = "user:alice", reply_to: str = "") -> "Scenario[S]":
        envelope = Envelope("m-1", type(message).__name__, 1, self.now, actor, self.key, reply_to=reply_to)
        decision = self.behaviour.handle(self.state, Input(self.key, message, envelope), self.now)
        return replace(self.given(*decision.events), decision=decision)

    def when_due(self) -> "Scenario[S]":
        """The state's timer fires, on time."""
        wake = self.behaviour.wake(self.state)
        assert wake is not None, f"no timer is set in {self.state}"
        return self.at(max(self.now, wake.at)).when(wake.timer)

    def then(self, *events: Message) -> "Scenario[S]":
        assert list(self.decision.events) == list(events)
        return self

    def asks(self, *messages: Message) -> "Scenario[S]":
        assert [request.message for request in self.decision.requests] == list(messages)
        return self

    def sends(self, *requests: Request) -> "Scenario[S]":
        """Like `asks`, and with the right address."""
        assert list(self.decision.requests) == list(requests)
        return self


def given(behaviour: Behaviour[S], *events: Message, at: Instant = 1_000, key: str = "o1") -> Scenario[S]:
    return Scenario(behaviour, behaviour.initial, at, key).given(*events)
