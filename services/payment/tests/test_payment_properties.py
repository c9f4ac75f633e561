"""Whatever is heard, in whatever order and however often: one capture at most, none after a void, every void answered."""

from dataclasses import dataclass, field
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from common.clock import Instant
from common.contracts.money import Money
from common.contracts.payment import (
    AuthorizePayment,
    CapturePayment,
    Operation,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
    ProviderAnswered,
    Result,
    VoidPayment,
)
from common.decider import Input
from common.messages import Envelope
from payment.domain import INITIAL, Payment, Retries
from payment.handlers import behaviour

BEHAVIOUR = behaviour(Retries(attempts=2))
DEADLINE = 2_000

ANSWERS_TO_A_VOID = PaymentVoided | PaymentRefunded | PaymentDeclined


@dataclass(frozen=True)
class Pass:
    """Time goes by; what is due is heard."""

    span: int


@dataclass(frozen=True)
class Obey:
    """The provider answers what it was asked."""

    result: Result


@dataclass
class World:
    state: Payment = INITIAL
    now: Instant = 0
    events: list[Any] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)

    def hear(self, message: Any, actor: str = "service:order") -> None:
        envelope = Envelope("m", type(message).__name__, 1, self.now, actor, "o1", reply_to="order.commands")
        decision = BEHAVIOUR.handle(self.state, Input("o1", message, envelope), self.now)
        for event in decision.events:
            self.state = BEHAVIOUR.evolve(self.state, event, self.now)
        assert BEHAVIOUR.load(BEHAVIOUR.dump(self.state)) == self.state
        self.events += decision.events
        self.answers += [r.message for r in decision.requests if r.topic == "order.commands"]
        effect = BEHAVIOUR.effect(self.state)
        if decision.events and effect:
            self.effects.append(effect.id)

    def act(self, step: Any) -> None:
        match step:
            case Pass(span):
                self.now += span
                wake = BEHAVIOUR.wake(self.state)
                if wake and wake.at <= self.now:
                    before = self.state
                    self.hear(wake.timer)
                    assert self.state != before, "a timer that changes nothing would be due for ever"
            case Obey(result):
                effect = BEHAVIOUR.effect(self.state)
                if effect:
                    self.hear(ProviderAnswered("o1", effect.intent.operation, effect.intent.attempt, result))
            case "redrive":
                self.hear(VoidPayment("o1", DEADLINE), actor="operator:ada")
            case message:
                self.hear(message)

    def heal(self) -> None:
        """The provider is well again, time passes, and an operator looks after what is parked."""
        for _ in range(20):
            self.act(Obey("done"))
            self.act(Pass(60_000))
            if self.state.pending and self.state.pending.phase == "parked":
                self.act("redrive")


sagas_and_operators = st.sampled_from(
    [
        AuthorizePayment("o1", Money(5, "EUR"), "tok_ok", DEADLINE),
        CapturePayment("o1"),
        VoidPayment("o1", DEADLINE),
        "redrive",
    ]
)
results = st.sampled_from(get_args(Result))
honest = st.builds(Obey, results)
late_or_made_up = st.builds(
    ProviderAnswered, st.just("o1"), st.sampled_from(get_args(Operation)), st.integers(0, 3), results
)
passing = st.builds(Pass, st.sampled_from([1, 100, 300, 3_000]))
steps = st.lists(sagas_and_operators | honest | late_or_made_up | passing, max_size=30)


@settings(max_examples=400, deadline=None)
@given(steps)
def test_there_is_at_most_one_capture_and_none_once_voided(script: list[Any]) -> None:
    world = World()
    for step in script:
        barred = any(isinstance(event, PaymentVoided) for event in world.events)
        effects = len(world.effects)
        world.act(step)
        assert not (barred and world.effects[effects:]), "what is voided is never touched again"
    assert sum(isinstance(event, PaymentCaptured) for event in world.events) <= 1
    assert set(world.effects) <= {"o1/authorize", "o1/capture", "o1/void", "o1/refund"}
    assert not {"o1/void", "o1/refund"} <= set(world.effects), "either there was a capture to refund, or there was none"


@settings(max_examples=400, deadline=None)
@given(steps, steps)
def test_a_void_is_always_answered_in_the_end_and_nothing_stays_set_aside(before: list[Any], after: list[Any]) -> None:
    world = World()
    for step in before:
        world.act(step)
    already = len(world.answers)
    world.act(VoidPayment("o1", DEADLINE))
    for step in after:
        world.act(step)
    world.heal()
    assert any(isinstance(answer, ANSWERS_TO_A_VOID) for answer in world.answers[already:])
    assert world.state.status in ("unknown", "declined", "voided", "refunded")
    assert world.state.pending is None


@settings(max_examples=200, deadline=None)
@given(steps)
def test_a_replay_of_the_events_gives_the_state(script: list[Any]) -> None:
    world = World()
    for step in script:
        world.act(step)
    state = INITIAL
    for event in world.events:
        state = BEHAVIOUR.evolve(state, event, world.now)
    assert state == world.state
