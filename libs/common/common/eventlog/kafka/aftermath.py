"""What the last transaction of an id may have left behind, by the word of its coordinator (KIP-664).

What is being made up for is written down where the coordinator keeps it safe: in the timeout of the producer that does it. So
it is known to whoever comes next, if both die over it.
"""

from dataclasses import dataclass

from kafka import errors
from kafka.protocol.admin import DescribeTransactionsRequest

from common.eventlog.kafka.wire import TRANSACTION, Wire, check

MAKING_UP = {True: 60_000, False: 59_999}  # committed -> milliseconds, in which the broker must not decide otherwise
_COMMITTED = ("PrepareCommit", "CompleteCommit")


@dataclass(frozen=True, slots=True)
class Last:
    """`under_way`: the producer id and epoch of one that was making up for it, and has not ended."""

    committed: bool
    under_way: tuple[int, int] | None


async def learn(wire: Wire, transactional_id: str) -> Last | None:
    """None: there was none, or it is made up for. Raises the client's errors."""
    request = DescribeTransactionsRequest(transactional_ids=[transactional_id])
    answer = await wire.call(await wire.coordinator(TRANSACTION, transactional_id), request)
    (found,) = answer.transaction_states
    if found.error_code == errors.TransactionalIdNotFoundError.errno:
        return None
    check(found.error_code, transactional_id)
    state, timeout = found.transaction_state, found.transaction_timeout_ms
    if state == "Empty" and timeout not in MAKING_UP.values():
        return None
    under_way = state == "Ongoing" and timeout == MAKING_UP[True]
    identity = (found.producer_id, found.producer_epoch)
    return Last(state in _COMMITTED or timeout == MAKING_UP[True], identity if under_way else None)
