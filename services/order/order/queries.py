"""What customers may ask of orders: answered from the read model alone; the log tells the timeline."""

import asyncio
import base64
import binascii
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec

from common import parameters, topology
from common.clock import rfc3339
from common.consistency import AT_ONCE, Asked, Level
from common.contracts.fields import DELIVERY
from common.eventlog import EventLog, Stored
from common.freshness import Freshness
from common.problems import Problem
from common.readmodel import View
from common.security import policy
from common.security.identity import Identity
from common.security.vault import Erased, Vault
from order import timeline
from order.projection import OrderView, listed, position, read


def shown(view: OrderView) -> dict[str, Any]:
    """The public shape of an order."""
    return {
        "order_id": view.order_id,
        "status": view.status,
        "reason": view.reason,
        "version": view.version,
        "lines": view.lines,
        "total": view.total,
        "created_at": rfc3339(view.created_at),
        "updated_at": rfc3339(view.updated_at),
    }


def thing(view: OrderView) -> policy.Order:
    """As the policies see it, to be looked at."""
    return policy.Order(view.order_id, view.customer)


def delivery(view: OrderView, caller: Identity, vault: Vault) -> dict[str, Any] | None:
    """Where it goes, opened for who may read that; nothing for who may see the order alone. What was erased is shown as such,
    for good."""
    if view.delivery is None or not policy.allows(caller, "read_delivery", thing(view)):
        return None
    try:
        return {**msgspec.json.decode(vault.unseal(view.delivery, view.order_id, DELIVERY)), "erased": False}
    except Erased:
        return {"name": None, "email": None, "address": None, "erased": True}


class Queries:
    """Another customer's order is as unknown as one that never was (A1)."""

    def __init__(self, view: View, log: EventLog) -> None:
        self._view = view
        self._log = log
        self._freshness = Freshness(topology.ORDER, view, log)

    async def order(
        self, order_id: str, caller: Identity, asked: Asked = AT_ONCE, action: str = "show_order"
    ) -> OrderView:
        """For this action. Another process may have accepted it a moment ago: unless an eventual answer will do, that there is
        no such order is said only after all that the log has was read."""
        await self.caught_up(asked, order_id)
        found = await self.find(order_id)
        if found is not None and policy.allows(caller, action, thing(found)):
            return found
        if asked.level is Level.SESSION:  # another's takes as long as none
            await self.caught_up(Asked(level=Level.STRONG), order_id)
            found = await self.find(order_id)
        if found is None or not policy.permits(caller, action, thing(found)):
            raise Problem(404, "order-not-found", "There is no such order.")
        return found

    async def caught_up(self, asked: Asked, order_id: str | None = None) -> None:
        await self._freshness.meet(asked, order_id)

    async def folded(self) -> dict[int, int]:
        """By partition: the first command that the read model may not show yet."""
        prefix = f"{topology.commands(topology.ORDER)}/"
        positions = await self._view.positions()
        return {int(name[len(prefix) :]): next for name, next in positions.items() if name.startswith(prefix)}

    async def find(self, order_id: str) -> OrderView | None:
        document = await self._view.get(order_id)
        return read(document) if document else None

    async def finished(self, order_ids: Collection[str]) -> Collection[str]:
        """Those of them that have a verdict."""
        documents = await self._view.get_many(list(order_ids))
        return [order_id for order_id, document in documents.items() if read(document).final]

    async def final(self, order_id: str, within: float) -> OrderView | None:
        """The order as soon as its status is final, else as it is after `within` seconds."""
        deadline = asyncio.get_running_loop().time() + within
        while True:
            found = await self.find(order_id)
            left = deadline - asyncio.get_running_loop().time()
            if (found is not None and found.final) or left <= 0:
                return found
            await self._view.changed(order_id, left)

    async def page(self, customer: str, cursor: str, limit: int, asked: Asked = AT_ONCE) -> dict[str, Any]:
        """Newest first."""
        await self.caught_up(asked)
        after = _open_cursor(cursor) if cursor else ""
        entries = await self._view.list(f"orders/{customer}", after=after, limit=limit + 1, newest_first=True)
        ids = [listed(entry) for entry in entries[:limit]]
        documents = await self._view.get_many(ids)
        more = len(entries) > limit
        return {
            "items": [shown(read(documents[order_id])) for order_id in ids if order_id in documents],
            "next_cursor": _close_cursor(entries[limit - 1].sort) if more else None,
        }

    async def timeline(self, order_id: str) -> list[timeline.Entry]:
        entries = await self._view.list(f"timeline/{order_id}", limit=1000)
        positions = [position(entry) for entry in entries]
        return timeline.tell(await asyncio.to_thread(lambda: list(self._records(positions))))

    async def changed(self, order_id: str, within: float) -> None:
        """Return when the timeline may have grown."""
        await self._view.changed(f"timeline/{order_id}", within)

    def _records(self, positions: Sequence[tuple[str, int, int]]) -> Iterator[Stored]:
        for topic, partition, offset in positions:
            reader = self._log.reader({(topic, partition): offset})
            try:
                yield from reader.poll(1.0, 1)
            finally:
                reader.close()


def _close_cursor(sort: str) -> str:
    return base64.urlsafe_b64encode(sort.encode()).decode().rstrip("=")


def _open_cursor(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        raise parameters.invalid_cursor() from None
