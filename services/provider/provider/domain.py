"""What a provider does with one reference: authorize once, then capture and refund, or void, each once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from common.contracts.payment import Operation

Status = Literal["unknown", "authorized", "captured", "declined", "voided", "refunded"]

ALLOWED: Mapping[tuple[Operation, Status], Status] = {
    ("authorize", "unknown"): "authorized",
    ("capture", "authorized"): "captured",
    ("refund", "captured"): "refunded",
    ("void", "authorized"): "voided",
    ("void", "unknown"): "voided",  # bars the authorization that may still be on its way
    ("void", "declined"): "declined",  # there is nothing to void, and it is done
    ("void", "voided"): "voided",
}


@dataclass(frozen=True, slots=True)
class Instruction:
    """What the merchant asks for. The key names it: under one key there is one instruction, for ever."""

    key: str
    operation: Operation
    reference: str
    amount: int = 0
    currency: str = ""
    token: str = ""

    @property
    def fingerprint(self) -> str:
        return f"{self.operation} {self.reference} {self.amount} {self.currency} {self.token}"


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of one reference."""

    status: Status = "unknown"
    amount: int = 0
    currency: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`account` is how the reference stands from now on; `declined` says why not, and is empty when it is done."""

    account: Account
    declined: str = ""


def decide(account: Account, instruction: Instruction, refused_because: str = "") -> Verdict:
    """`refused_because`: what the card's bank has against an authorization, if anything."""
    after = ALLOWED.get((instruction.operation, account.status))
    if after is None:
        return Verdict(account, f"cannot {instruction.operation} what is {account.status}")
    if instruction.operation != "authorize":
        return Verdict(Account(after, account.amount, account.currency, account.token))
    asked = (instruction.amount, instruction.currency, instruction.token)
    return Verdict(Account("declined" if refused_because else after, *asked), refused_because)
