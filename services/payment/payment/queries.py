"""What may be asked of payments: answered from the read model alone."""

from typing import Any

from common.consistency import AT_ONCE, Asked
from common.eventlog import EventLog
from common.freshness import Freshness
from common.problems import Problem
from common.readmodel import View
from common.security import policy
from common.security.identity import Identity
from common.topology import PAYMENT
from payment.projection import PaymentView, read_view


def shown(view: PaymentView) -> dict[str, Any]:
    """The public shape of a payment."""
    assert view.amount is not None
    taken = view.status in ("captured", "refunded")
    nothing = {"amount": 0, "currency": view.amount.currency}
    return {
        "order_id": view.order_id,
        "status": view.status,
        "amount": view.amount,
        "captured": view.amount if taken else nothing,
        "refunded": view.amount if view.status == "refunded" else nothing,
    }


class Queries:
    def __init__(self, view: View, log: EventLog) -> None:
        self._view = view
        self._freshness = Freshness(PAYMENT, view, log)

    async def payment(self, order_id: str, caller: Identity, asked: Asked = AT_ONCE) -> PaymentView:
        """Raises Problem 404 for a payment of somebody else, one that never was, and one that nothing is known of yet."""
        await self._freshness.meet(asked, order_id)
        document = await self._view.get(order_id)
        view = read_view(document.body) if document else None
        seen = view is not None and view.status and view.amount is not None
        if (
            view is None
            or not seen
            or not policy.permits(caller, "show_payment", policy.Payment(order_id, view.customer))
        ):
            raise Problem(404, "payment-not-found", "There is no such payment.")
        return view
