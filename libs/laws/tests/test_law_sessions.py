"""L9: what a session has seen once stays seen, and what it wrote it sees."""

from collections.abc import Callable

import pytest

from common.eventlog import Stored
from common.topology import ORDER, commands, events
from laws.journal import JournalEntry
from laws.testing import Script, valid
from laws.testing.script import token_of

SOLD = "ord_sold"


def wish(script: Script) -> Stored:
    return script.find(commands(ORDER), "PlaceOrder", SOLD)


@pytest.mark.parametrize(
    ("note", "said"),
    [
        (lambda s: s.note("read", order_id=SOLD, version=5), "alice reading order ord_sold: version 5 after 8"),
        (lambda s: s.note("ack", order_id=SOLD, version=0), "alice reading order ord_sold: version 0 after 8"),
        (
            lambda s: s.note("read", order_id=SOLD, version=9, status="pending"),
            "alice reading order ord_sold: pending after confirmed",
        ),
        (
            lambda s: s.note("read", order_id=SOLD, version=9, status="cancelled"),
            "alice reading order ord_sold: cancelled after confirmed",
        ),
        (
            lambda s: s.note("fail", order_id=SOLD, code=404),
            "alice reading order ord_sold: 404, after it had been seen",
        ),
        (
            lambda s: s.note("fail", order_id="ord_new", code=404, token=token_of(wish(s))),
            "alice reading order ord_new: 404, with the token of its own write",
        ),
    ],
)
def test_a_session_that_reads_backwards_breaks_the_law(note: Callable[[Script], None], said: str) -> None:
    script = valid()
    note(script)
    verdict = script.verdicts()["L9"]
    assert (verdict.verdict, verdict.first) == ("broken", said)


def test_another_session_may_see_less() -> None:
    script = valid()
    script.journals.append(
        [JournalEntry(at=1, kind="read", client="alice", order_id=SOLD, version=1, status="pending")]
    )
    script.journals[0].append(
        JournalEntry(at=1, kind="read", client="alice/2", order_id=SOLD, version=1, status="pending")
    )
    assert script.verdicts()["L9"].verdict == "holds"


def test_an_order_that_was_never_seen_may_be_404() -> None:
    script = valid()
    script.note("fail", order_id="ord_other", code=404)
    script.note("fail", order_id=SOLD, code=503, token=token_of(wish(script)))
    assert script.verdicts()["L9"].verdict == "holds"


def test_a_read_with_a_token_that_does_not_show_its_write_is_broken() -> None:
    script = valid()
    confirmed = script.find(events(ORDER), "OrderConfirmed")
    reply = script.find(commands(ORDER), "PaymentAuthorized", SOLD)
    entry = JournalEntry(at=1, kind="read", client="bob", order_id=SOLD, version=4, token=token_of(reply))
    script.journals.append([entry])
    assert script.verdicts()["L9"].first == "bob reading order ord_sold: version 4, its own write led to 5"
    assert confirmed.partition == reply.partition


def test_a_read_that_saw_a_write_which_has_no_history_is_broken() -> None:
    script = valid()
    script.drop(script.find(events(ORDER), "OrderPlaced"))
    verdict = script.verdicts()["L9"]
    assert verdict.first is not None and "has no history" in verdict.first


def test_a_write_that_was_poison_has_nothing_to_show() -> None:
    script = valid()
    poison = script.find(commands(ORDER), "Nonsense")
    script.note("read", order_id=SOLD, version=8, status="confirmed", token=token_of(poison))
    assert script.verdicts()["L9"].verdict == "holds"


def test_a_token_of_another_form_leaves_it_open() -> None:
    script = valid()
    script.note("read", order_id=SOLD, version=8, status="confirmed", token="???")
    assert script.verdicts()["L9"].verdict == "unknown"
