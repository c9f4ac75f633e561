"""L1, L2, L3: orders are kept, placed once, and ended once."""

from common.clock import MINUTE
from common.contracts.order import OrderCancelled, OrderConfirmed
from common.topology import ORDER, commands, dead_letters, events
from laws.testing import Script, Story, valid

PLACE = commands(ORDER), "PlaceOrder"
PLACED = events(ORDER), "OrderPlaced"


def test_a_valid_history_breaks_no_law() -> None:
    verdicts = valid().verdicts()
    assert {verdict.verdict for verdict in verdicts.values()} == {"holds"}
    assert all(verdict.checked and verdict.first is None for verdict in verdicts.values())
    assert list(verdicts) == [f"L{number}" for number in range(1, 15)]


def test_an_empty_history_holds_and_says_that_nothing_was_checked() -> None:
    verdicts = Script().verdicts()
    assert {(verdict.verdict, verdict.checked) for verdict in verdicts.values()} == {("holds", 0)}


def test_an_acknowledged_order_that_the_log_does_not_have_is_lost() -> None:
    script = valid()
    script.records = [record for record in script.records if record.headers.get("correlation") != "ord_sold"]
    verdict = script.verdicts()["L1"]
    assert verdict.verdict == "broken"
    assert verdict.broken == 1
    assert verdict.first == "order ord_sold: acknowledged to alice, and nowhere in the log"


def test_an_acknowledged_order_whose_command_still_waits_is_not_lost() -> None:
    script = Script()
    wish = valid().find(*PLACE)
    script.append(wish.topic, wish.key, wish.value, wish.headers)
    script.note("ack", order_id=wish.key)
    assert script.verdicts(settled=False)["L1"].verdict == "holds"


def test_a_consumed_wish_that_placed_nothing_is_a_lost_order_even_without_a_journal() -> None:
    script = valid()
    script.drop(script.find(*PLACED))
    verdict = script.verdicts(journals=[])["L1"]
    assert verdict.verdict == "broken"
    assert verdict.first is not None and "order.commands" in verdict.first


def test_a_consumed_wish_in_dead_letters_is_not_lost() -> None:
    script = valid()
    script.drop(script.find(*PLACED, key="ord_last"))
    script.bury(script.find(*PLACE, key="ord_last"), "decide failed")
    assert script.verdicts()["L1"].verdict == "holds"


def test_an_order_placed_twice_breaks_the_law_of_keys() -> None:
    script = valid()
    script.repeat(script.find(*PLACED))
    verdict = script.verdicts()["L2"]
    assert verdict.verdict == "broken"
    assert verdict.first is not None and "ord_sold: placed a second time" in verdict.first


def test_an_order_that_is_not_what_its_command_asked_for_breaks_the_law_of_keys() -> None:
    script = valid()
    script.rewrite(script.find(*PLACED), "OrderPlaced", fingerprint="another")
    assert script.verdicts()["L2"].verdict == "broken"


def test_one_key_answered_with_two_orders_breaks_the_law_of_keys() -> None:
    script = valid()
    script.note("ack", idempotency_key="ord_sold", fingerprint="body-ord_sold", order_id="ord_poor", code=202)
    verdict = script.verdicts()["L2"]
    assert verdict.broken == 2  # one key, two orders; one order, two keys
    assert verdict.first == "alice's key ord_sold has two orders, ord_sold and ord_poor"


def test_another_body_accepted_under_a_used_key_breaks_the_law_of_keys() -> None:
    script = valid()
    script.note("ack", idempotency_key="ord_sold", fingerprint="another", order_id="ord_sold", code=202)
    assert script.verdicts()["L2"].verdict == "broken"


def test_a_twin_that_is_told_that_it_differs_breaks_the_law_of_keys() -> None:
    script = valid()
    script.note("fail", idempotency_key="ord_sold", fingerprint="body-ord_sold", code=422)
    assert script.verdicts()["L2"].verdict == "broken"


def test_a_twin_gets_the_same_order_and_another_body_is_refused() -> None:
    script = valid()
    script.note("ack", idempotency_key="ord_sold", fingerprint="body-ord_sold", order_id="ord_sold", code=200)
    script.note("fail", idempotency_key="ord_sold", fingerprint="another", code=422)
    assert script.verdicts()["L2"].verdict == "holds"


def test_a_twin_command_with_another_body_that_changed_nothing_is_within_the_law() -> None:
    script = valid()
    wish = script.find(*PLACE)
    value = (wish.value or b"").replace(b"body-ord_sold", b"another")
    twin = script.append(wish.topic, wish.key, value, {**wish.headers, "id": "twin"})
    script.decide(twin)
    assert script.broken() == set()


def test_an_order_that_ends_twice_is_broken() -> None:
    script = valid()
    confirmed = script.find(events(ORDER), "OrderConfirmed")
    command = script.append(commands(ORDER), confirmed.key, b"{}", {**confirmed.headers, "type": "RequestCancellation"})
    script.decide(command, OrderCancelled(confirmed.key, "too late"))
    verdict = script.verdicts()["L3"]
    assert verdict.verdict == "broken"
    assert verdict.first is not None and "ord_sold: OrderCancelled" in verdict.first


def test_an_order_that_ends_without_a_beginning_is_broken() -> None:
    script = Script()
    given = script.append(commands(ORDER), "ord_ghost", b"{}", valid().find(*PLACE).headers)
    script.decide(given, OrderConfirmed("ord_ghost"))
    assert script.verdicts()["L3"].verdict == "broken"


def test_a_pending_order_is_open_while_it_is_young_and_broken_when_it_is_old() -> None:
    script = valid()
    Story(script, "ord_young").placed()
    young = script.verdicts(settled=False)["L3"]
    assert (young.verdict, young.open, young.broken) == ("unknown", 1, 0)
    assert young.first is not None and young.first.startswith("order ord_young: pending for")
    assert script.verdicts(settled=False, now=script.now + 6 * MINUTE)["L3"].verdict == "broken"
    assert script.verdicts(settled=True)["L3"].verdict == "broken"


def test_patience_starts_anew_when_a_fault_has_ended() -> None:
    script = valid()
    Story(script, "ord_young").placed()
    now = script.now + 60 * MINUTE
    assert script.verdicts(settled=False, now=now, whole_since=now - MINUTE)["L3"].verdict == "unknown"


def test_the_worst_pending_order_is_the_oldest() -> None:
    script = valid()
    script.drop(script.find(events(ORDER), "OrderCancelled", "ord_poor"))
    script.drop(script.find(events(ORDER), "OrderCancelled", "ord_silent"))
    verdict = script.verdicts()["L3"]
    assert verdict.broken == 2
    assert verdict.worst is not None and "ord_poor" in verdict.worst


def test_a_parked_order_is_broken_at_once_and_says_why() -> None:
    script = valid()
    story = Story(script, "ord_parked")
    story.asked_for_payment()
    story.parked()
    verdict = script.verdicts(settled=False)["L3"]
    assert verdict.verdict == "broken"
    assert verdict.first is not None and "void was parked: out of order; redrive it" in verdict.first
    letter = script.find(dead_letters("payment"), "VoidPayment")
    assert "dead_reason" not in letter.headers
    assert script.broken(settled=False) == {"L3"}
