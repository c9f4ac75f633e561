"""All laws of one history, in one pass."""

from collections.abc import Sequence
from typing import Protocol

from laws.acknowledged import AcknowledgedOrders
from laws.causality import Causality
from laws.derived import Derived
from laws.effects import Effects
from laws.endings import Endings
from laws.history import History
from laws.idempotency import OneOrderPerKey
from laws.money import MoneyBalance
from laws.poison import Poison
from laws.provenance import Provenance
from laws.sessions import Sessions
from laws.stock import StockBalance
from laws.stream import Stream
from laws.transactions import Transactions
from laws.undone import CancelledHoldsNothing
from laws.verdict import Verdict
from laws.versions import Versions


class Law(Protocol):
    """A checker: made for one history, told of its records in turn, asked once at the end."""

    def listen(self, stream: Stream) -> None: ...

    def verdict(self) -> Verdict: ...


def laws_of(history: History) -> Sequence[Law]:
    """L1 to L14."""
    return (
        AcknowledgedOrders(history),
        OneOrderPerKey(history),
        Endings(history),
        StockBalance(history),
        MoneyBalance(history),
        CancelledHoldsNothing(history),
        Versions(history),
        Derived(history),
        Sessions(history),
        Effects(history),
        Transactions(history),
        Poison(history),
        Causality(history),
        Provenance(history),
    )


def check_all(history: History) -> list[Verdict]:
    """The verdict of every law. Pure: the same history gives the same verdicts.

    Memory grows with the orders, some hundred bytes each, and with what is under way; not with the records.
    """
    stream = Stream()
    laws = laws_of(history)
    for law in laws:
        law.listen(stream)
    stream.run(history)
    return [law.verdict() for law in laws]
