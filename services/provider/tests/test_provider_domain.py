"""What a provider does with one reference, operation by operation."""

import pytest

from common.contracts.payment import Operation
from provider.domain import Account, Instruction, Status, Verdict, decide

AUTHORIZED = Account("authorized", 1999, "EUR", "tok_ok")


def ask(operation: Operation) -> Instruction:
    if operation == "authorize":
        return Instruction("k", "authorize", "o1", 1999, "EUR", "tok_ok")
    return Instruction("k", operation, "o1")


def test_a_good_card_is_authorized_for_the_amount() -> None:
    assert decide(Account(), ask("authorize")) == Verdict(AUTHORIZED)


def test_a_bad_card_is_declined_with_its_reason() -> None:
    verdict = decide(Account(), ask("authorize"), "no money")
    assert (verdict.account.status, verdict.declined) == ("declined", "no money")


@pytest.mark.parametrize(
    ("before", "operation", "after"),
    [
        ("authorized", "capture", "captured"),
        ("captured", "refund", "refunded"),
        ("authorized", "void", "voided"),
        ("voided", "void", "voided"),
        ("declined", "void", "declined"),
    ],
)
def test_what_may_follow_what(before: Status, operation: Operation, after: Status) -> None:
    verdict = decide(Account(before, 1999, "EUR", "tok_ok"), ask(operation))
    assert verdict == Verdict(Account(after, 1999, "EUR", "tok_ok"))


@pytest.mark.parametrize(
    ("before", "operation"),
    [
        ("unknown", "capture"),
        ("unknown", "refund"),
        ("authorized", "authorize"),
        ("authorized", "refund"),
        ("captured", "capture"),
        ("captured", "void"),
        ("voided", "authorize"),
        ("voided", "capture"),
        ("refunded", "capture"),
        ("refunded", "refund"),
        ("declined", "authorize"),
        ("declined", "capture"),
    ],
)
def test_what_may_not_follow_is_declined_and_changes_nothing(before: Status, operation: Operation) -> None:
    account = Account(before, 1999, "EUR", "tok_ok")
    assert decide(account, ask(operation)) == Verdict(account, f"cannot {operation} what is {before}")


def test_a_void_of_an_unknown_reference_bars_it() -> None:
    barred = decide(Account(), ask("void")).account
    assert decide(barred, ask("authorize")).declined == "cannot authorize what is voided"
