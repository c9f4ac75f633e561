"""The client's own journal: what it meant to do, and what it was told. Laws L1, L2 and L9 are checked against it.

JSON lines, one entry a line, in the order in which they happened:

    {"at": 1767225600000, "kind": "intent", "client": "alice", "idempotency_key": "k1", "fingerprint": "9f…"}
    {"at": 1767225600009, "kind": "ack",    "client": "alice", "idempotency_key": "k1", "fingerprint": "9f…",
     "order_id": "ord_…", "code": 202, "token": "order.3.17"}
    {"at": 1767225600031, "kind": "read",   "client": "alice", "order_id": "ord_…", "version": 4, "status": "pending",
     "token": "order.3.17"}
    {"at": 1767225600040, "kind": "fail",   "client": "alice", "idempotency_key": "k1", "fingerprint": "77…", "code": 422}

kind              written
`intent`          before the request leaves
`ack`             the platform took the request (2xx); with `version` and `status` where the answer tells them
`read`            an order was shown; `token` if the request presented one
`fail`            any other answer (`code`), or none at all (`code` 0: the outcome is unknown, no law is built on it)

`client` is the customer. One that is in several conversations at once adds `/` and a name for each, `alice/2`: a session is
one such name in one journal, and inside a session nothing happens at the same time.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal

import msgspec

from common.clock import Instant

Kind = Literal["intent", "ack", "read", "fail"]


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`fingerprint` tells two different bodies apart, by whatever hash the client likes. `token` is a consistency token:
    given by an `ack`, presented by a `read` or `fail`."""

    at: Instant
    kind: Kind
    client: str
    order_id: str = ""
    idempotency_key: str = ""
    fingerprint: str = ""
    version: int | None = None
    status: str = ""
    code: int = 0
    token: str = ""

    @property
    def customer(self) -> str:
        return self.client.partition("/")[0]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(JournalEntry).decode


class Journal:
    """Appends entries to a file. When `write` returns, the entry survives kill -9 of the client; so write an intent, then
    send. With `durable` it survives the machine as well, at the price of an fsync."""

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._durable = durable

    def write(self, entry: JournalEntry) -> None:
        """One write call a line: threads and processes may share a journal."""
        self._file.write(_encode(entry) + b"\n")
        if self._durable:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()


def read_journal(path: Path) -> Iterator[JournalEntry]:
    """All whole lines; a torn last one was never acted upon. Raises ValueError for a line that is no entry."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield _decode(line)
            except msgspec.MsgspecError as error:
                raise ValueError(
                    f"{path}:{number}: no journal entry ({error}); take the line out, then verify"
                ) from None
