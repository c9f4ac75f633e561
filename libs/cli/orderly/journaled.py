"""Places orders as an honest client does: every intent is written down before it is sent, every answer after it came.

The journal is what `orderly verify` holds the platform to: what was acknowledged once is never lost (law L1).
"""

import hashlib
import json
import secrets
from typing import Any

from common.clock import system_clock
from laws.journal import Journal, JournalEntry
from orderly.api import Answer, Api, Refused, Unanswered
from orderly.folder import Folder


def journal_of(folder: Folder) -> Journal:
    """The command line's own, for every one of its clients."""
    folder.make()
    return Journal(folder.journals / "cli.jsonl")


class Client:
    """One session of one customer: it asks for one thing after the other."""

    def __init__(self, api: Api, journal: Journal) -> None:
        self._api = api
        self._journal = journal
        self._session = f"{api.who}/{secrets.token_hex(6)}"

    def place(self, body: dict[str, Any], *, key: str, wait: int = 0) -> Answer:
        """Raises Refused, or Unanswered: ask again with the same key then."""
        named = {"idempotency_key": key, "fingerprint": fingerprint(body)}
        self._write(kind="intent", **named)
        try:
            answer = self._api.send("POST", "/v1/orders", body, key=key, wait=wait)
        except (Refused, Unanswered) as error:
            self._write(kind="fail", code=error.status if isinstance(error, Refused) else 0, **named)
            raise
        self._write(
            kind="ack",
            order_id=answer.body["order_id"],
            code=answer.status,
            version=answer.body["version"],
            status=answer.body["status"],
            token=answer.headers.get("consistency-token", ""),
            **named,
        )
        return answer

    def read(self, order_id: str, *, token: str = "") -> dict[str, Any]:
        found: dict[str, Any] = self._api.send("GET", f"/v1/orders/{order_id}", read_after=token).body
        self._write(
            kind="read", order_id=found["order_id"], version=found["version"], status=found["status"], token=token
        )
        return found

    def _write(self, **entry: Any) -> None:
        self._journal.write(JournalEntry(at=system_clock(), client=self._session, **entry))


def fingerprint(body: dict[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(body, sort_keys=True).encode(), digest_size=16).hexdigest()
