"""What the last transaction of an id has left behind: how it ended, and where that may not be known yet.

The coordinator knows the first (KIP-664's DescribeTransactions), and of the second only what is under way.
"""

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from kafka import errors
from kafka.protocol.admin import DescribeTransactionsRequest

from common.eventlog.kafka.wire import TRANSACTION, Place, Wire, check

_DECIDED = ("PrepareCommit", "CompleteCommit")
_NOTHING = ("Empty", "Dead")


@dataclass(slots=True)
class Last:
    """Where a transaction wrote, by which producer id and epoch, and whether it is committed. `places` None: wherever something
    is open. `committed` None: its end had no answer."""

    places: Set[Place] | None
    identity: tuple[int, int]
    committed: bool | None = False


async def inherit(wire: Wire, transactional_id: str) -> Last | None:
    """What a predecessor did last. None: there was none, or it did nothing. Raises the client's errors."""
    found = await _described(wire, transactional_id)
    if found.error_code == errors.TransactionalIdNotFoundError.errno:
        return None
    check(found.error_code, transactional_id)
    if found.transaction_state in _NOTHING:
        return None
    return Last(None, (found.producer_id, found.producer_epoch), committed=found.transaction_state in _DECIDED)


async def learn(wire: Wire, transactional_id: str, last: Last) -> Last | None:
    """`last`, with how it ended. None: another has used the id since, so it is for him to know. Raises the client's errors."""
    found = await _described(wire, transactional_id)
    check(found.error_code, transactional_id)
    producer, epoch = last.identity
    ours = found.producer_id == producer and epoch <= found.producer_epoch <= epoch + 1
    last.committed = found.transaction_state in _DECIDED
    return last if ours else None


async def _described(wire: Wire, transactional_id: str) -> Any:
    request = DescribeTransactionsRequest(transactional_ids=[transactional_id])
    answer = await wire.call(await wire.coordinator(TRANSACTION, transactional_id), request)
    (found,) = answer.transaction_states
    return found
