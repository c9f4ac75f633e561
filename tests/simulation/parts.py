"""What is simulated: the real behaviours and the real processor. A mutant replaces one of them (see mutants.py)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from common.clock import SECOND
from common.decider import Behaviour
from common.eventlog import Consumer, EventLog
from common.processor import Processor
from common.topology import INVENTORY, ORDER, PAYMENT
from inventory.handlers import BEHAVIOUR as INVENTORY_BEHAVIOUR
from order.handlers import BEHAVIOUR as ORDER_BEHAVIOUR
from payment.domain import Retries
from payment.handlers import behaviour as payment_behaviour

# A parked payment should not be a rare thing here.
PAYMENTS = payment_behaviour(Retries(attempts=3, shortest=100, longest=2 * SECOND))


def unchanged(consumer: Consumer, log: EventLog) -> Consumer:
    return consumer


@dataclass(frozen=True, slots=True)
class Parts:
    behaviours: Mapping[str, Behaviour[Any]] = field(
        default_factory=lambda: {
            ORDER: ORDER_BEHAVIOUR,
            PAYMENT: PAYMENTS,
            INVENTORY: INVENTORY_BEHAVIOUR,
        }
    )
    processor: Callable[..., Processor[Any]] = Processor
    consumer: Callable[[Consumer, EventLog], Consumer] = unchanged  # what a process uses instead of its consumer

    def with_behaviour(self, changed: Behaviour[Any]) -> "Parts":
        return replace(self, behaviours={**self.behaviours, changed.service: changed})


PARTS = Parts()
