"""Rules that the platform must not be without. Each mutant lacks one; a simulation that does not notice is worth nothing.

`MUTANTS` have to be caught. `HARMLESS` are changes that cost time or calls and break no law: the simulation has to let them
live, so rules of that sort need their own unit tests, which the sentences name.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec

from common.clock import SECOND
from common.decider import Behaviour, Wake
from inventory.handlers import BEHAVIOUR as INVENTORY
from inventory.handlers import behaviour as inventory
from order.handlers import BEHAVIOUR as ORDER
from order.handlers import behaviour as order
from tests.simulation import mutants_machinery as machinery
from tests.simulation import mutants_payment as payment
from tests.simulation import mutants_saga as saga
from tests.simulation import mutants_stock as stock
from tests.simulation.parts import PARTS, PAYMENTS, Parts


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    why: str  # what is wrong with it, one sentence
    parts: Parts
    harmed_by: frozenset[str] = (
        frozenset()
    )  # the kinds of trouble that bring it out, where few schedules have them by chance


HARMED_BY: Mapping[Callable[..., Any], frozenset[str]] = {
    stock.no_barrier_after_refusal: frozenset({"duplicate"}),
    stock.no_barrier_after_release: frozenset({"duplicate", "cancel"}),
    stock.deadline_ignored: frozenset({"duplicate", "jump"}),
    machinery.ForgetsTooSoon: frozenset({"age", "crash", "cut", "freeze"}),
    machinery.effects_before_commit: frozenset({"cut", "jump"}),
}


def of(fault: Callable[..., Any], parts: Parts) -> Mutant:
    words = re.sub(r"(?<=.)([A-Z])", r"-\1", fault.__name__).lower().replace("_", "-")
    return Mutant(words, " ".join((fault.__doc__ or "").split()), parts, HARMED_BY.get(fault, frozenset()))


def behaving(fault: Callable[..., Any], changed: Behaviour[Any]) -> Mutant:
    return of(fault, PARTS.with_behaviour(changed))


def hasty(state: Any) -> Wake | None:
    """Timers fire nine seconds early. (test_saga.py: a stale timer changes nothing)"""
    wake = ORDER.wake(state)
    return wake and msgspec.structs.replace(wake, at=wake.at - 9 * SECOND)


def never_asks_first(state: Any) -> Any:
    """A provider that keeps its promise about keys may be called again at once. (test_payment_domain.py: asked by key first)"""
    found = PAYMENTS.effect(state)
    return found and msgspec.structs.replace(found, intent=replace(found.intent, ask_first=False))


def table(mutants: Iterable[Mutant]) -> dict[str, Mutant]:
    return {mutant.name: mutant for mutant in mutants}


MUTANTS = table(
    [
        *(
            behaving(react, order(react=react))
            for react in (
                saga.no_void_on_silence,
                saga.no_void_on_cancellation,
                saga.cancelled_too_soon,
                saga.only_known_holds_released,
                saga.late_authorization_confirms,
                saga.authorized_after_the_first_line,
                saga.captured_before_confirmed,
                saga.one_release_is_enough,
            )
        ),
        *(
            behaving(decide, inventory(decide=decide))
            for decide in (
                stock.deadline_ignored,
                stock.holds_twice,
                stock.sells_what_is_not_there,
                stock.holds_expire_by_themselves,
                stock.partly_reserved,
            )
        ),
        *(
            behaving(evolve, replace(INVENTORY, evolve=evolve))
            for evolve in (
                stock.no_barrier_after_release,
                stock.no_barrier_after_refusal,
                stock.shipped_goods_stay_held,
                stock.receipts_are_not_remembered,
            )
        ),
        *(
            behaving(handle, replace(PAYMENTS, handle=handle))
            for handle in (payment.silence_means_no, payment.silence_means_yes, payment.voided_without_asking)
        ),
        behaving(payment.another_key_for_each_attempt, replace(PAYMENTS, effect=payment.another_key_for_each_attempt)),
        *(
            of(processor, replace(PARTS, processor=processor))
            for processor in (
                machinery.effects_before_commit,
                machinery.restored_effects_are_forgotten,
                machinery.timers_are_lost,
                machinery.restored_from_checkpoints_alone,
                machinery.ForgetsTooSoon,
            )
        ),
        *(
            of(faulty, replace(PARTS, consumer=partial(machinery.Tampered, faulty=faulty)))
            for faulty in (
                machinery.OffsetsNotInTheTransaction,
                machinery.RequestsNotInTheTransaction,
                machinery.PoisonIsDropped,
                machinery.MarkerTooFar,
                machinery.ZombiesAreNotFenced,
            )
        ),
    ]
)

HARMLESS = table(
    [
        behaving(hasty, replace(ORDER, wake=hasty)),
        behaving(never_asks_first, replace(PAYMENTS, effect=never_asks_first)),
    ]
)
