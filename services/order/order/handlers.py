"""What one input makes happen to an order: the domain decides, the saga reacts, until both are quiet."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import msgspec

from common.clock import MINUTE, Instant, Millis
from common.codec import Codec, members
from common.contracts import inventory, payment
from common.contracts.inventory import ReleaseStock, ShipStock
from common.contracts.order import (
    CheckHold,
    Command,
    Event,
    Patience,
    PlaceOrder,
    RequestCancellation,
    StepDue,
    StepTimedOut,
)
from common.decider import Behaviour, Decision, Input, Wake
from common.messages import Request
from common.topology import ORDER
from order import domain, saga
from order.domain import Order
from order.saga import Reaction, Saga, to_inventory

REMEMBERED: Millis = (
    15 * MINUTE
)  # how long a finished order knows its twins; after that the API does, by the read model
REPLIES = frozenset(kind.__name__ for kind in members(inventory.Reply) + members(payment.Reply))

React = Callable[[Saga, Event, Instant], Reaction]


@dataclass(frozen=True, slots=True)
class OrderState:
    """`finished_at` 0: not yet. What a finished order leaves behind is shared: a hundred thousand of them cost little."""

    order: Order = domain.INITIAL
    saga: Saga = saga.NEW
    finished_at: Instant = 0


FINISHED = Saga(step="done")
CONFIRMED = Order("confirmed")
CANCELLED = Order("cancelled")


def handle(state: OrderState, given: Input, at: Instant, *, patience: Patience, react: React = saga.react) -> Decision:
    match given.message:
        case CheckHold(order_id, sku):
            return Decision(requests=still_wanted(state.order, order_id, sku, at))
        case StepDue(step, round):
            current = (step, round) == (state.saga.step, state.saga.round)
            events: list[Event] = [StepTimedOut(step, round)] if current else []
        case PlaceOrder() | RequestCancellation() as command:
            events = domain.decide(state.order, command, given.envelope.actor, patience)
        case reply:
            events = [reply] if state.order.status != "unknown" and not state.finished_at else []
    return until_quiet(state, events, at, patience, react)


def until_quiet(state: OrderState, events: list[Event], at: Instant, patience: Patience, react: React) -> Decision:
    """Each event may make the saga ask; what it asks of its own order is decided at once, and heard by it again."""
    requests: list[Request] = []
    unheard = deque(events)
    while unheard:
        event = unheard.popleft()
        order = domain.evolve(state.order, event)
        saga, asks = react(state.saga, event, at)
        state = replace(state, order=order, saga=saga)
        for ask in asks:
            if isinstance(ask, Request):
                requests.append(ask)
            else:
                decided = domain.decide(order, ask, "", patience)
                events += decided
                unheard += decided
    return Decision(events, requests)


def still_wanted(order: Order, order_id: str, sku: str, at: Instant) -> list[Request]:
    """What inventory is to do with stock that it holds for so long. An undecided order asks for it itself, in time."""
    match order.status:
        case "confirmed":
            return [to_inventory(sku, ShipStock(sku, order_id))]
        case "cancelled" | "unknown":
            return [to_inventory(sku, ReleaseStock(sku, order_id, deadline=at))]
        case _:
            return []


def evolve(state: OrderState, event: Event, at: Instant, *, react: React = saga.react) -> OrderState:
    if state.finished_at:
        return state
    order = domain.evolve(state.order, event)
    saga, _ = react(state.saga, event, at)
    if saga.step == "done":
        return finished(order, at)
    return OrderState(order, saga)


def finished(order: Order, at: Instant) -> OrderState:
    """Drops lines, token and amounts: nothing is decided upon them any more."""
    return OrderState(CONFIRMED if order.status == "confirmed" else CANCELLED, FINISHED, at)


def wake(state: OrderState) -> Wake | None:
    due_at = state.saga.due_at
    return None if due_at is None else Wake(due_at, StepDue(state.saga.step, state.saga.round))


def forget_at(state: OrderState) -> Instant | None:
    return state.finished_at + REMEMBERED if state.finished_at else None


_encode = msgspec.json.Encoder(order="deterministic").encode  # sets have no order of their own
_decode = msgspec.json.Decoder(OrderState).decode


def load(payload: bytes) -> OrderState:
    state = _decode(payload)
    return finished(state.order, state.finished_at) if state.finished_at else state


def behaviour(patience: Patience = Patience(), react: React = saga.react) -> Behaviour[OrderState]:  # noqa: B008 immutable
    return Behaviour(
        service=ORDER,
        initial=OrderState(),
        handle=partial(handle, patience=patience, react=react),
        evolve=partial(evolve, react=react),
        commands=Codec(members(Command)),
        events=Codec(members(Event)),
        dump=_encode,
        load=load,
        wake=wake,
        forget_at=forget_at,
        replies=REPLIES,
        step=lambda state: state.saga.step,
        outcomes={"OrderConfirmed": "confirmed", "OrderCancelled": "cancelled"},
    )


BEHAVIOUR = behaviour()
