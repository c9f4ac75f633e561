"""A member of a group as a process of its own, to be killed and frozen: it copies "in" to "out" and says where it stands.

`<bootstrap> <topic in> <topic out> <group> <member> <lease ms> <pause at> [<transaction timeout s>]`; it pauses at `polled`,
`written` (inside the transaction) or `offsets` (all but the end is sent), until a line comes. Lines out: where it pauses, then
`committed`, or the name of the error.
"""

import sys
from collections.abc import Mapping
from typing import Any

from common.errors import LogError
from common.eventlog import Record
from common.eventlog.kafka import KafkaConnection, KafkaLog, transactions
from common.eventlog.kafka.transactions import Transactions


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(
    bootstrap: str, source: str, target: str, group: str, member: str, lease: str, at: str, timeout: str = "10"
) -> None:
    transactions.TIMEOUT = float(timeout)

    def pause(where: str) -> None:
        if where == at:
            say(where)
            sys.stdin.readline()

    class Pausing(Transactions):
        async def write(self, records: Mapping[Any, Any], until: float) -> dict[Any, list[int]]:
            found = await super().write(records, until + 60)
            pause("written")
            return found

        async def _end(self, *, committed: bool, until: float) -> None:
            if committed:
                pause("offsets")
            await super()._end(committed=committed, until=until + 60)

    log = KafkaLog(KafkaConnection(bootstrap), lease=int(lease), transactions=Pausing)
    consumer = log.consumer(source, group=group, member=member)
    while True:
        batch = consumer.poll(0.1)
        if not batch.records:
            continue
        pause("polled")
        try:
            with consumer.transaction() as transaction:
                for each in batch.records:
                    transaction.send(Record(target, each.key, f"{member}:".encode() + (each.value or b"")))
            say("committed")
        except LogError as error:
            say(type(error).__name__)


if __name__ == "__main__":
    main(*sys.argv[1:])
