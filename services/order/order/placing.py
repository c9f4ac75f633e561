"""Accepts orders and cancellations: one Idempotency-Key of one customer is one order, for ever (law L2).

The order id is made of customer and key, so a twin request cannot become a second order, whoever receives it. What tells
two different bodies under one key apart is remembered in three places that overlap in time: here, between the acceptance
and the read model; in the read model, for good; and in the processor, which lets the first one count. Where several processes
accept, the first place knows of one of them only: there an acceptance waits, for so long at most, until the third has spoken.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from weakref import WeakValueDictionary

import structlog

from common import tracecontext
from common.clock import Clock
from common.codec import encode
from common.consistency import AT_ONCE, Asked, Level, Token
from common.contracts.api import PlaceOrderBody
from common.contracts.fields import DELIVERY, PAYMENT_TOKEN
from common.contracts.money import LARGEST_AMOUNT, Money
from common.contracts.order import Line, PlaceOrder, RequestCancellation
from common.errors import Unavailable
from common.problems import Problem
from common.security import policy
from common.security.identity import Identity
from common.security.vault import Cipher, Vault
from common.sender import Sender
from order.catalog import Catalog
from order.projection import OrderView
from order.queries import Queries, thing
from order.quota import Quota
from order.saga import CANCELLED_BY_CUSTOMER

PRUNE_EVERY = 200  # acceptances
CATCH_UP = 3.0  # seconds
SETTLES = 3.0  # seconds; when the processor is away for longer, an acceptance is worth more than a twin's 422

_log = structlog.get_logger("placing")


@dataclass(frozen=True, slots=True)
class Accepted:
    """`token` None: it was accepted so long ago that every read shows it."""

    view: OrderView
    token: Token | None


class Placing:
    """Of one process. What another has accepted, or this one before a restart, is known from the read model alone. `alone`:
    there is no other now. `open_orders`: see quota.py."""

    def __init__(
        self,
        queries: Queries,
        catalog: Catalog,
        sender: Sender,
        vault: Vault,
        clock: Clock,
        *,
        alone: bool = True,
        open_orders: int = 0,
    ) -> None:
        self._queries = queries
        self._alone = alone
        self._caught_up = False
        self._catching_up = asyncio.Lock()
        self._catalog = catalog
        self._sender = sender
        self._vault = vault
        self._clock = clock
        self._quota = Quota(open_orders, queries.finished, clock)
        self._recent: dict[str, Accepted] = {}  # by order id: what the read model may not show yet
        self._accepted = 0
        self._twins: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def place(
        self, body: PlaceOrderBody, key: str, caller: Identity, traceparent: str, token: Token | None
    ) -> Accepted:
        """Returns what was accepted, now or when the key was first used. Raises Problem 422 for another body under it, 403
        where the policies do not allow the order, 429 where too many of the customer's are open."""
        order_id = order_id_of(caller.subject, key)
        tracecontext.about(order_id)
        cipher = await self._vault.cipher(caller.subject)
        fingerprint = cipher.fingerprint(encode(body.model_dump()))
        async with self._twins.setdefault(order_id, asyncio.Lock()):  # the second one sees what the first one did
            known = await self.known(order_id)
            if known is None:
                known = await self._accept(order_id, fingerprint, body, cipher, caller, traceparent, token)
            if known.view.fingerprint != fingerprint:
                raise Problem(
                    422, "idempotency-key-reused", "This Idempotency-Key was used for another order; send a new key."
                )
            return known

    async def known(self, order_id: str) -> Accepted | None:
        await self._catch_up()
        recent = self._recent.get(order_id)
        view = await self._queries.find(order_id)
        if view is None:
            return recent
        return Accepted(view, recent.token if recent else None)

    async def cancel(self, order_id: str, caller: Identity, traceparent: str, asked: Asked = AT_ONCE) -> Accepted:
        """Raises Problem 404 for an order of somebody else, 409 when it is too late, 403 where the policies do not allow it."""
        known = await self.known(order_id)
        if known is None:  # another process may have accepted it a moment ago
            known = Accepted(await self._queries.order(order_id, caller, asked), None)
        view = known.view
        if not policy.permits(caller, "show_order", thing(view)):
            raise Problem(404, "order-not-found", "There is no such order.")
        order = policy.Order(order_id, view.customer, placed=view.created_at)
        policy.demand(caller, "cancel_order", order, now=self._clock())
        refuse_if_too_late(known.view)
        if known.view.final:
            return known
        command = RequestCancellation(order_id)
        position, _ = await self._sender.send(order_id, command, actor=caller.subject, traceparent=traceparent)
        _log.info("cancellation requested")
        return Accepted(known.view, Token.at(position))

    async def _catch_up(self) -> None:
        """Before the first answer: what this process does not remember, because a former one has accepted it, it must be able
        to read. All wait for it, for so long at most: then the processor is away, and will let the first twin count."""
        if self._caught_up:
            return
        async with self._catching_up:
            if not self._caught_up:
                with suppress(TimeoutError):
                    async with asyncio.timeout(CATCH_UP):
                        await self._queries.caught_up(Asked(level=Level.STRONG))
                self._caught_up = True

    async def _accept(
        self,
        order_id: str,
        fingerprint: str,
        body: PlaceOrderBody,
        cipher: Cipher,
        caller: Identity,
        traceparent: str,
        token: Token | None,
    ) -> Accepted:
        lines = await self._priced(body, token)
        policy.demand(caller, "place_order", policy.Order(order_id, caller.subject, total_of(lines).amount))
        await self._quota.take(caller.subject, order_id)
        card = cipher.seal(body.payment_token, order_id, PAYMENT_TOKEN)
        delivery = cipher.seal(body.delivery.model_dump_json(), order_id, DELIVERY) if body.delivery else None
        command = PlaceOrder(order_id, caller.subject, lines, card, fingerprint, delivery)
        position, at = await self._sender.send(order_id, command, actor=caller.subject, traceparent=traceparent)
        view = OrderView(order_id, caller.subject, fingerprint, lines, total_of(lines), at, at, delivery=delivery)
        accepted = Accepted(view, Token.at(position))
        self._recent[order_id] = accepted
        self._accepted += 1
        if self._accepted % PRUNE_EVERY == 0:
            await self._forget_the_seen()
        _log.info("order accepted", lines=len(lines))
        return accepted if self._alone else await self._first(accepted)

    async def _first(self, accepted: Accepted) -> Accepted:
        """Another process may have accepted its twin at the same moment: the one that counts."""
        with suppress(TimeoutError, Problem, Unavailable):
            async with asyncio.timeout(SETTLES):
                await self._queries.caught_up(Asked(accepted.token))
                view = await self._queries.find(accepted.view.order_id)
                return Accepted(view or accepted.view, accepted.token)
        return accepted

    async def _priced(self, body: PlaceOrderBody, token: Token | None) -> tuple[Line, ...]:
        quantities: dict[str, int] = {}
        for line in body.lines:  # two lines of one product are one
            quantities[line.sku] = quantities.get(line.sku, 0) + line.quantity
        prices = await self._catalog.prices(list(quantities), token)
        lines = tuple(Line(sku, quantity, prices[sku]) for sku, quantity in quantities.items())
        if len({line.unit_price.currency for line in lines}) > 1:
            raise Problem(422, "mixed-currencies", "The products are sold in different currencies; order them apart.")
        if total_of(lines).amount > LARGEST_AMOUNT:
            raise Problem(422, "order-too-large", f"An order's total is at most {LARGEST_AMOUNT} minor units.")
        return lines

    async def _forget_the_seen(self) -> None:
        """What the read model shows need not be remembered here."""
        folded = await self._queries.folded()
        for order_id, accepted in list(self._recent.items()):
            if accepted.token is None or accepted.token.offset < folded.get(accepted.token.partition, 0):
                del self._recent[order_id]


def refuse_if_too_late(view: OrderView) -> None:
    if view.final and view.reason != CANCELLED_BY_CUSTOMER:
        raise Problem(409, "too-late-to-cancel", f"The order is already {view.status}.")


def total_of(lines: Sequence[Line]) -> Money:
    return Money(sum(line.unit_price.amount * line.quantity for line in lines), lines[0].unit_price.currency)


def order_id_of(customer: str, key: str) -> str:
    return "ord_" + hashlib.blake2b(f"{customer}\0{key}".encode(), digest_size=16).hexdigest()
