"""Order sagas that lack one rule. Each is a `react` with one row changed."""

from dataclasses import replace

from common.clock import Instant
from common.contracts.inventory import StockReleased, StockReserved
from common.contracts.order import CancellationRequested, CancelOrder, ConfirmOrder, Event, StepTimedOut
from common.contracts.payment import CapturePayment, PaymentAuthorized
from order.saga import Reaction, Saga, authorize, react, to_payment


def no_void_on_silence(saga: Saga, event: Event, at: Instant) -> Reaction:
    """A provider that does not answer is taken for one that did nothing."""
    if saga.step == "authorizing" and isinstance(event, StepTimedOut):
        saga = replace(saga, payment="untouched")
    return react(saga, event, at)


def no_void_on_cancellation(saga: Saga, event: Event, at: Instant) -> Reaction:
    """The customer cancels while the payment is authorized, and only the stock is given back."""
    if saga.step == "authorizing" and isinstance(event, CancellationRequested):
        saga = replace(saga, payment="untouched")
    return react(saga, event, at)


def cancelled_too_soon(saga: Saga, event: Event, at: Instant) -> Reaction:
    """The order is cancelled when it asks for the stock to be released, not when it hears that it was."""
    after, asks = react(saga, event, at)
    if after.step == "releasing" != saga.step and after.awaiting:
        return after, [*asks, CancelOrder(after.reason)]
    return after, asks


def only_known_holds_released(saga: Saga, event: Event, at: Instant) -> Reaction:
    """A line that did not answer is taken for one that holds nothing."""
    if saga.step == "reserving" and not isinstance(event, StockReserved):
        saga = replace(saga, skus=tuple(sku for sku in saga.skus if sku not in saga.awaiting))
    return react(saga, event, at)


def late_authorization_confirms(saga: Saga, event: Event, at: Instant) -> Reaction:
    """An answer that comes while the payment is being voided still sells the order."""
    if saga.step == "voiding" and isinstance(event, PaymentAuthorized):
        return saga, [ConfirmOrder()]
    return react(saga, event, at)


def authorized_after_the_first_line(saga: Saga, event: Event, at: Instant) -> Reaction:
    """One line that is held is taken for all of them."""
    if saga.step == "reserving" and isinstance(event, StockReserved):
        return authorize(replace(saga, awaiting=frozenset()), at)
    return react(saga, event, at)


def captured_before_confirmed(saga: Saga, event: Event, at: Instant) -> Reaction:
    """The money is asked for together with the authorization."""
    after, asks = react(saga, event, at)
    if after.step == "authorizing" != saga.step:
        return after, [*asks, to_payment(after, CapturePayment(after.order_id))]
    return after, asks


def one_release_is_enough(saga: Saga, event: Event, at: Instant) -> Reaction:
    """The first line that is released is taken for all of them."""
    if saga.step == "releasing" and isinstance(event, StockReleased):
        saga = replace(saga, awaiting=frozenset({event.sku}))
    return react(saga, event, at)
