"""L5: customers pay for what they were sold, once, and for nothing else."""

import msgspec

from common.clock import Instant
from common.topology import ORDER, PAYMENT
from laws.facts import Money, OrderCancelled, OrderConfirmed, OrderPlaced, PaymentCaptured, PaymentRefunded
from laws.history import History
from laws.ledger import LedgerRow
from laws.stream import Decided, Stream, at_place
from laws.verdict import Tally, Verdict


class Account(msgspec.Struct, gc=False):
    """One order's money, in minor units of `currency`. `at`: when it last moved."""

    at: Instant
    total: int = 0
    currency: str = ""
    paid_in: str = ""
    confirmed: bool = False
    cancelled: bool = False
    captures: int = 0
    captured: int = 0
    refunded: int = 0

    @property
    def kept(self) -> int:
        return self.captured - self.refunded

    @property
    def owed(self) -> int:
        return self.total if self.confirmed else 0


class MoneyBalance:
    """Order by order, so in sum too: captured - refunded = the total if it is confirmed, else nothing; one capture at most.
    The provider's own ledger says the same.

    Confirming and capturing are two moments. What lies between them is open while it is recent; too much, or any money kept
    for a cancelled order, is broken at once.
    """

    def __init__(self, history: History) -> None:
        self._tally = Tally("L5", "captured - refunded = the total of confirmed orders; at most one capture per order")
        self._history = history
        self._accounts: dict[str, Account] = {}
        self._ledger: dict[str, int] = {}  # by order: kept at the provider

    def listen(self, stream: Stream) -> None:
        stream.on_decided(ORDER, self._order)
        stream.on_decided(PAYMENT, self._payment)
        stream.on_ledger(self._row)

    def _account(self, decided: Decided) -> Account:
        record = decided.record
        account = self._accounts.get(record.key)
        if account is None:
            account = self._accounts[record.key] = Account(record.at)
        account.at = max(account.at, record.at)
        return account

    def _order(self, decided: Decided) -> None:
        for fact in decided.facts:
            match fact:
                case OrderPlaced(total=total):
                    account = self._account(decided)
                    account.total, account.currency = total.amount, total.currency
                case OrderConfirmed():
                    self._account(decided).confirmed = True
                case OrderCancelled():
                    self._account(decided).cancelled = True

    def _payment(self, decided: Decided) -> None:
        for fact in decided.facts:
            match fact:
                case PaymentCaptured(amount):
                    self._captured(decided, self._account(decided), amount)
                case PaymentRefunded(amount):
                    self._account(decided).refunded += amount.amount

    def _captured(self, decided: Decided, account: Account, amount: Money) -> None:
        account.captures += 1
        account.captured += amount.amount
        where = f"order {decided.record.key}: captured at {at_place(decided.record)}"
        if account.captures > 1:
            self._tally.broke(f"{where}, the {account.captures}. time", account.captured)
        account.paid_in = amount.currency

    def _row(self, row: LedgerRow) -> None:
        order_id = row["reference"]
        self._ledger[order_id] = self._ledger.get(order_id, 0) + row["captured"] - row["refunded"]
        account = self._accounts.get(order_id)
        if account is None:  # the ledger was read last: an order of this very moment is not yet known here
            sentence = f"order {order_id}: {row['status']} in the provider's ledger, and not in the log"
            self._tally.judge(sentence, recent=not self._history.settled, weight=row["amount"])
        elif row["status"] in ("authorized", "captured") and row["amount"] != account.total:
            sentence = (
                f"order {order_id}: {row['amount']} {row['status']} in the provider's ledger, {account.total} ordered"
            )
            self._tally.broke(sentence, abs(row["amount"] - account.total))

    def verdict(self) -> Verdict:
        for order_id, account in self._accounts.items():
            self._tally.checked += 1
            if account.paid_in and account.currency and account.paid_in != account.currency:
                self._tally.broke(f"order {order_id}: captured in {account.paid_in}, ordered in {account.currency}")
            if account.kept != account.owed:
                sentence = f"order {order_id}: {account.kept} {account.currency} kept, {account.owed} owed"
                self._unequal(sentence, account, account.kept, account.owed)
        if self._history.ledger is not None:
            self._compare()
        return self._tally.verdict()

    def _compare(self) -> None:
        for order_id, account in self._accounts.items():
            self._tally.checked += 1
            kept = self._ledger.get(order_id, 0)
            if kept != account.kept:
                sentence = (
                    f"order {order_id}: the provider's ledger kept {kept}, the log {account.kept} {account.currency}"
                )
                self._unequal(sentence, account, kept, account.kept)

    def _unequal(self, sentence: str, account: Account, kept: int, due: int) -> None:
        hopeless = kept < 0 or kept > account.total > 0 or (account.cancelled and kept > 0)
        recent = not hopeless and self._history.recent(account.at)
        self._tally.judge(sentence, recent=recent, weight=abs(kept - due))
