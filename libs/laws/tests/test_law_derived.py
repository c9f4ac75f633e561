"""L8: read models and checkpoints are the fold of the events."""

from typing import Any

import msgspec
import pytest

from common.checkpoint import MARKER, Checkpoint
from common.clock import MINUTE, Instant
from common.codec import Codec, encode, members
from common.contracts import inventory, order
from common.decider import Behaviour, Decision
from common.eventlog import Stored
from common.messages import Message
from common.readmodel import Document
from common.topology import INVENTORY, ORDER, PAYMENT, events, state
from laws.history import Dump
from laws.testing import Script, valid


def said(script: Script, **changes: Any) -> str:
    verdict = script.verdicts(**changes)["L8"]
    assert verdict.verdict == "broken"
    return verdict.first or ""


@pytest.mark.parametrize(
    ("service", "key", "fields"),
    [
        (ORDER, "ord_sold", {"status": "pending", "reason": None, "total": {"amount": 1000, "currency": "EUR"}}),
        (
            ORDER,
            "ord_poor",
            {"status": "cancelled", "reason": "bad luck", "total": {"amount": 1000, "currency": "EUR"}},
        ),
        (ORDER, "ord_sold", {"status": "confirmed", "reason": None, "total": {"amount": 1, "currency": "EUR"}}),
        (PAYMENT, "ord_sold", {"status": "authorized", "amount": {"amount": 1000, "currency": "EUR"}}),
        (INVENTORY, "tea", {"name": "tea", "price": {"amount": 500, "currency": "EUR"}, "available": 9}),
        (ORDER, "ord_sold", {}),
    ],
)
def test_a_document_that_shows_something_else_is_broken(service: str, key: str, fields: dict[str, Any]) -> None:
    script = valid()
    script.show(service, key, **fields)
    assert f"read model {service}: {key} at version" in said(script)


def test_a_price_that_is_not_the_last_one_is_broken() -> None:
    script = valid()
    script.show(ORDER, "price/tea", version=1, name="tea", price={"amount": 400, "currency": "EUR"})
    assert "price/tea at version 1 shows price {'amount': 400, 'currency': 'EUR'} instead of" in said(script)


def test_a_missing_document_is_broken() -> None:
    script = valid()
    del script.documents[ORDER]["ord_sold"]
    assert said(script) == "read model order: ord_sold shows version 0, the log has 8"


def test_an_unreadable_document_is_broken() -> None:
    script = valid()
    script.documents[ORDER]["ord_sold"] = Document("ord_sold", 8, b"\xff")
    assert "unreadable" in said(script)


def test_a_document_behind_its_own_checkpoint_is_broken_even_in_motion() -> None:
    script = valid()
    script.documents[ORDER]["ord_last"] = Document("ord_last", 1, b"{}")
    assert said(script, settled=False) == "read model order: ord_last shows version 1, the log has 8"


def test_a_document_ahead_of_the_recorded_log_is_open_in_motion_and_broken_when_settled() -> None:
    script = valid()
    script.documents[ORDER]["ord_last"] = Document("ord_last", 9, b"{}")
    assert script.verdicts(settled=False)["L8"].verdict == "unknown"
    assert "shows version 9, the recorded log only 8" in said(script)


def test_a_read_model_that_lags_is_open_while_it_may_catch_up() -> None:
    script = valid()
    behind = {**script.history().models, ORDER: Dump([], {})}
    assert script.verdicts(models=behind, settled=False)["L8"].verdict == "unknown"
    assert "behind order.events/" in said(script, models=behind, settled=False, now=script.now + 6 * MINUTE)
    assert "behind order.events/" in said(script, models=behind)


Names = tuple[str, ...]


def behaviour(service: str, union: object) -> Behaviour[Names]:
    """A state that is easy to follow: the names of the events."""

    def evolve(names: Names, event: Message, at: Instant) -> Names:
        assert at > 0
        return (*names, type(event).__name__)

    def load(payload: bytes) -> Names:
        return tuple(payload.decode().strip('[]"').split('","'))

    codec = Codec(members(union))
    return Behaviour(service, (), lambda state, given, at: Decision(), evolve, codec, codec, encode, load)


BEHAVIOURS = {ORDER: behaviour(ORDER, order.Event), INVENTORY: behaviour(INVENTORY, inventory.Event)}

SHORT = ("OrderPlaced", "StockReserved", "StockRefused", "StockReleased", "OrderCancelled")


def save(script: Script, key: str, version: int, names: Names, marker: int | None = None) -> None:
    """A checkpoint of an order, and the marker of its partition (None: all that there is)."""
    partition = script.find(events(ORDER), "", key).partition
    end = len([record for record in script.records if (record.topic, record.partition) == (events(ORDER), partition)])
    for name, saved in (
        (key, Checkpoint(version, "", msgspec.Raw(encode(names)))),
        (MARKER, Checkpoint(end if marker is None else marker)),
    ):
        offset = len(script.checkpoints)
        script.checkpoints.append(Stored(state(ORDER), partition, offset, name, encode(saved), {}, script.now))


def test_checkpoints_that_are_the_fold_hold() -> None:
    script = valid()
    save(script, "ord_short", 5, SHORT)
    save(script, "ord_sold", 1, ("OrderPlaced",), marker=0)
    assert script.verdicts(behaviours=BEHAVIOURS)["L8"].verdict == "holds"


def test_only_the_last_checkpoint_of_an_aggregate_counts() -> None:
    script = valid()
    save(script, "ord_short", 5, ("OrderPlaced",))
    save(script, "ord_short", 5, SHORT)
    assert script.verdicts(behaviours=BEHAVIOURS)["L8"].verdict == "holds"
    save(script, "ord_short", 5, ("OrderPlaced",))
    last = script.checkpoints[-2]
    script.checkpoints.append(last._replace(value=None))
    assert script.verdicts(behaviours=BEHAVIOURS)["L8"].verdict == "holds"


def test_a_checkpoint_that_is_not_the_fold_of_its_events_is_broken() -> None:
    script = valid()
    save(script, "ord_short", 5, SHORT[:-1])
    assert said(script, behaviours=BEHAVIOURS) == "ord_short: its checkpoint at version 5 is not the fold of its events"
    assert script.verdicts()["L8"].verdict == "holds"  # without the behaviour, the state is opaque


def test_a_checkpoint_ahead_of_its_history_is_broken() -> None:
    script = valid()
    save(script, "ord_short", 6, SHORT)
    assert said(script) == "ord_short: its checkpoint has version 6, its history 5"


def test_a_marker_past_events_that_the_checkpoint_does_not_have_is_broken() -> None:
    script = valid()
    save(script, "ord_short", 2, SHORT[:2])
    assert "the marker is past order.events/" in said(script)


def test_a_history_that_its_service_cannot_fold_is_broken() -> None:
    script = valid()
    save(script, "ord_short", 5, SHORT)
    assert "cannot be folded" in said(script, behaviours={ORDER: behaviour(ORDER, inventory.Event)})
