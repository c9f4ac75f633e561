"""Sagas are counted by what is committed: each begins once, ends once, and turns back at most once."""

from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY, Metric

from common.contracts.inventory import StockRefused, StockReleased, StockReserved, StockShipped
from common.contracts.money import Money
from common.contracts.order import Line, PlaceOrder, RequestCancellation
from common.contracts.payment import PaymentAuthorized, PaymentCaptured, PaymentDeclined, PaymentVoided
from common.messages import Message
from common.testing.given import Scenario, given
from common.watching import Move
from order.handlers import BEHAVIOUR, OrderState
from order.watching import Sagas

PLACE = PlaceOrder("o1", "alice", (Line("tea", 2, Money(450, "EUR")),), "tok_ok", "print-1")
HELD, REFUSED = StockReserved("tea", "o1", 2, 11_000), StockRefused("tea", "o1", 1, "out of stock", 11_000)
RELEASED, SHIPPED = StockReleased("tea", "o1", 2, 11_000), StockShipped("tea", "o1", 2)
AUTHORIZED, CAPTURED = PaymentAuthorized("o1"), PaymentCaptured("o1", Money(900, "EUR"))
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def growth(name: str, **labels: str) -> Callable[[], float]:
    before = value(name, **labels)
    return lambda: value(name, **labels) - before


class Story:
    """One saga, told to `sagas` as the processor would."""

    def __init__(self, sagas: Sagas) -> None:
        self._sagas = sagas
        self.told: Scenario[OrderState] = given(BEHAVIOUR)

    def hears(self, *messages: Message) -> "Story":
        for message in messages:
            self._tell(self.told.when(message))
        return self

    def waits_in_vain(self) -> "Story":
        self._tell(self.told.when_due())
        return self

    def at(self, now: int) -> "Story":
        self.told = self.told.at(now)
        return self

    def _tell(self, after: Scenario[OrderState]) -> None:
        before, self.told, now = self.told, after, after.now
        if after.decision.events:
            events = after.decision.events
            self._sagas.moved(Move(3, "o1", events, before.state, after.state, now - 400, now, TRACE))


@pytest.fixture
def sagas() -> Sagas:
    return Sagas(lambda: 60_000)


def finished(outcome: str, cause: str = "") -> Callable[[], float]:
    return growth("orderly_sagas_finished_total", outcome=outcome, cause=cause)


def turned_back(step: str, cause: str) -> Callable[[], float]:
    return growth("orderly_sagas_compensated_total", step=step, cause=cause)


def test_a_confirmed_order_is_counted_once_and_timed_from_its_acceptance(sagas: Sagas) -> None:
    started, ended = growth("orderly_sagas_started_total"), finished("confirmed")
    seconds = growth("orderly_saga_seconds_sum", outcome="confirmed")
    reserving, settling = (growth("orderly_saga_step_seconds_sum", step=it) for it in ("reserving", "settling"))
    Story(sagas).hears(PLACE, PLACE).at(3_000).hears(HELD, HELD).at(4_000).hears(AUTHORIZED).at(9_000).hears(
        SHIPPED, CAPTURED, CAPTURED
    )
    assert (started(), ended()) == (1, 1)
    assert (round(seconds(), 3), reserving(), settling()) == (3.4, 2.0, 5.0)
    assert sagas.in_flight("settling") == 0


@pytest.mark.parametrize(
    ("step", "cause", "tell"),
    [
        ("reserving", "refused", lambda story: story.hears(REFUSED)),
        ("reserving", "silence", lambda story: story.waits_in_vain().hears(RELEASED)),
        ("reserving", "customer", lambda story: story.hears(RequestCancellation("o1"), RELEASED)),
        ("authorizing", "declined", lambda story: story.hears(HELD, PaymentDeclined("o1", "no money"), RELEASED)),
        (
            "authorizing",
            "silence",
            lambda story: story.hears(HELD).waits_in_vain().hears(PaymentVoided("o1"), RELEASED),
        ),
    ],
)
def test_a_saga_that_turns_back_says_where_and_why(
    sagas: Sagas, step: str, cause: str, tell: Callable[[Story], object]
) -> None:
    back, ended = turned_back(step, cause), finished("cancelled", cause)
    tell(Story(sagas).hears(PLACE))
    assert (back(), ended()) == (1, 1)


def test_the_oldest_saga_of_a_step_tells_its_age(sagas: Sagas) -> None:
    Story(sagas).at(20_000).hears(PLACE)
    assert value("orderly_saga_oldest_seconds", step="reserving") == 40.0
    assert value("orderly_sagas_in_flight", step="reserving") == 1
    assert value("orderly_saga_oldest_seconds", step="settling") == 0.0


def test_a_restored_saga_is_counted_and_not_timed(sagas: Sagas) -> None:
    story = Story(Sagas(lambda: 0)).hears(PLACE, HELD)
    successor = Sagas(lambda: 60_000)
    successor.restored(3, "o1", story.told.state, 50_000)
    assert successor.oldest("authorizing") == 10.0
    ended, timed = finished("confirmed"), growth("orderly_saga_seconds_count", outcome="confirmed")
    story._sagas = successor
    story.hears(AUTHORIZED, SHIPPED, CAPTURED)
    assert (ended(), timed(), successor.in_flight("settling")) == (1, 0, 0)


def test_what_belongs_to_another_process_is_not_in_flight_here(sagas: Sagas) -> None:
    Story(sagas).hears(PLACE)
    sagas.lost(2)
    assert sagas.in_flight("reserving") == 1
    sagas.lost(3)
    assert sagas.in_flight("reserving") == 0


def test_a_time_leads_to_the_trace_of_its_order(sagas: Sagas) -> None:
    Story(sagas).hears(PLACE, HELD, AUTHORIZED)
    (family,) = (it for it in REGISTRY.collect() if it.name == "orderly_saga_seconds")
    assert "4bf92f3577b34da6a3ce929d0e0e4736" in traces(family)  # pragma: allowlist secret


def traces(family: Metric) -> set[str]:
    return {sample.exemplar.labels["trace_id"] for sample in family.samples if sample.exemplar is not None}
