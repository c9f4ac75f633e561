"""A payment provider with the rules of the simulated one and none of its sockets. What is lost is the adversary's choice."""

from dataclasses import dataclass

from common.contracts.payment import Result
from laws import OperationRow
from payment.domain import Call
from provider.domain import Account, Instruction, decide

DECLINED = "tok_declined"


@dataclass(frozen=True, slots=True)
class Answer:
    result: Result
    detail: str = ""


class Provider:
    """The same key gets the same answer for ever. Instructions may be under way, and arrive long after their sender gave up."""

    def __init__(self) -> None:
        self.under_way: list[Instruction] = []
        self.ledger: list[OperationRow] = []  # as an auditor reads it
        self._answers: dict[str, Answer] = {}
        self._accounts: dict[str, Account] = {}

    def find(self, key: str) -> Answer | None:
        return self._answers.get(key)

    def perform(self, instruction: Instruction) -> Answer:
        known = self._answers.get(instruction.key)
        if known is not None:
            return known
        account = self._accounts.get(instruction.reference, Account())
        verdict = decide(account, instruction, "insufficient funds" if instruction.token == DECLINED else "")
        self._accounts[instruction.reference] = verdict.account
        answer = Answer("declined", verdict.declined) if verdict.declined else Answer("done")
        self._answers[instruction.key] = answer
        self.ledger.append(
            OperationRow(
                reference=instruction.reference,
                operation=instruction.operation,
                amount=verdict.account.amount,
                result=answer.result,
            )
        )
        return answer


def instruction(key: str, call: Call) -> Instruction:
    if call.operation == "authorize":
        return Instruction(key, "authorize", call.order_id, call.amount.amount, call.amount.currency, call.token)
    return Instruction(key, call.operation, call.order_id)
