"""Follows one order live, from the stream of the public API, through restarts of whatever stands behind it."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from orderly.api import Api, Refused, Unanswered

TRY_AGAIN_WITHIN = 30.0
PAUSE = 0.3
NOT_NOW = {429, 502, 503, 504}  # what stands behind the gateway is restarting, or busy

Entry = Mapping[str, Any]


def follow(
    api: Api,
    order_id: str,
    *,
    on_entry: Callable[[Entry], None],
    on_order: Callable[[Entry], None] = lambda order: None,
    until_final: bool = False,
) -> Entry:
    """Calls for each entry once. Returns the order when nothing more will come (`until_final`: as soon as it is confirmed
    or cancelled). Raises what stood in the way, Unanswered or Refused, when it
    has stood there for half a minute."""
    told: set[str] = set()
    order: Entry = {}
    give_up_at = time.monotonic() + TRY_AGAIN_WITHIN
    while True:
        try:
            for event in api.stream(f"/v1/orders/{quote(order_id, safe='')}/stream"):
                give_up_at = time.monotonic() + TRY_AGAIN_WITHIN
                if event.name == "entry" and (line := json.dumps(event.data, sort_keys=True)) not in told:
                    told.add(line)
                    on_entry(event.data)
                elif event.name == "order" and event.data.get("version", 0) > order.get("version", -1):
                    order = event.data
                    on_order(order)
                    if until_final and order["status"] != "pending":
                        return order
                elif event.name == "end":
                    return order
        except (Unanswered, Refused) as error:
            for_good = isinstance(error, Refused) and error.status not in NOT_NOW
            if for_good or time.monotonic() > give_up_at:
                raise
        time.sleep(PAUSE)
