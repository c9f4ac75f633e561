"""L7, L10, L11, L12, L14: the log itself: whole histories, whole transactions, poison set aside, every change signed."""

import msgspec
import pytest

from common.clock import MINUTE
from common.codec import Sent, decode_history
from common.topology import INVENTORY, ORDER, PAYMENT, commands, dead_letters, events
from laws.history import Cut
from laws.testing import Script, Story, valid

CONFIRMED = events(ORDER), "OrderConfirmed"
RESERVE = commands(INVENTORY), "ReserveStock"


def first(script: Script, law: str) -> str:
    verdict = script.verdicts()[law]
    assert verdict.verdict == "broken"
    return verdict.first or ""


def test_a_missing_record_leaves_a_gap_in_the_versions() -> None:
    script = valid()
    script.drop(script.find(events(ORDER), "StockReserved"))
    assert "ord_sold at order.events/" in first(script, "L7")


def test_a_repeated_record_repeats_its_versions() -> None:
    script = valid()
    script.repeat(script.find(*CONFIRMED))
    assert "version 8, then 2 events to 5" in first(script, "L7")


def test_a_history_that_starts_in_the_middle_has_a_gap() -> None:
    script = valid()
    script.drop(script.find(events(INVENTORY), "ProductPut"))
    assert "version 0, then 1 events to 2" in first(script, "L7")


def test_a_late_message_to_an_aggregate_that_is_forgotten_changes_nothing() -> None:
    script = valid()
    record = script.find(*CONFIRMED)
    script.decide(script.append(commands(ORDER), record.key, b"{}", {**record.headers, "id": "late"}))
    script.reframe(script.records[-1], version=0)
    assert script.broken() == set()


@pytest.mark.parametrize("value", [b"", b"\xff", b"{}", b'{"version": "1"}'])
def test_an_unreadable_record_breaks_the_law_of_versions(value: bytes) -> None:
    script = valid()
    script.replace(script.find(*CONFIRMED), value=value)
    verdict = script.verdicts()["L7"]
    assert verdict.worst is not None and "unreadable" in verdict.worst


def test_an_event_whose_fields_cannot_be_read_breaks_the_law_of_versions() -> None:
    script = valid()
    script.rewrite(script.find(events(INVENTORY), "StockReceived"), "StockReceived", quantity="ten")
    assert "unreadable" in first(script, "L7")


def test_a_message_that_was_listed_and_never_sent_is_broken() -> None:
    script = valid()
    script.drop(script.find(*RESERVE))
    said = first(script, "L10")
    assert said.endswith(": ReserveStock to inventory.commands for tea is listed, and was not sent")


def test_a_message_of_an_aborted_transaction_is_broken() -> None:
    script = valid()
    frame = decode_history(script.find(*CONFIRMED).value or b"")
    script.reframe(script.find(*CONFIRMED), sent=frame.sent[:-1])
    assert "ShipStock to inventory.commands for mug was sent, and no committed record lists it" in first(script, "L10")


def test_a_message_that_was_sent_twice_is_broken() -> None:
    script = valid()
    script.repeat(script.find(*RESERVE))
    assert first(script, "L10").endswith("or it was sent twice")


def test_a_message_that_is_not_what_its_history_lists_is_broken() -> None:
    script = valid()
    frame = decode_history(script.find(*CONFIRMED).value or b"")
    script.reframe(script.find(*CONFIRMED), sent=[Sent("VoidPayment", s.topic, s.key) for s in frame.sent])
    assert "VoidPayment to payment.commands for ord_sold is listed, CapturePayment to" in first(script, "L10")


def test_two_records_that_claim_the_same_messages_are_broken() -> None:
    script = valid()
    script.repeat(script.find(*CONFIRMED))
    assert "L10" in script.broken()


def test_parked_work_that_never_reached_the_dead_letters_is_broken() -> None:
    script = valid()
    story = Story(script, "ord_parked")
    story.asked_for_payment()
    story.parked()
    script.drop(script.find(dead_letters(PAYMENT), "VoidPayment"))
    assert "VoidPayment to payment.dead-letters" in first(script, "L10")


def test_a_message_that_an_operator_sends_again_is_no_effect_of_ours() -> None:
    script = valid()
    reserve = script.find(*RESERVE)
    redriven = script.append(reserve.topic, reserve.key, reserve.value, {**reserve.headers, "actor": "operator:olga"})
    script.decide(redriven)
    assert script.broken(models={}) == set()


def test_messages_past_the_retention_are_not_missed() -> None:
    script = valid()
    gone = [record for record in script.records[:40] if record.topic.endswith(".commands")]
    starts = {(record.topic, record.partition): record.offset + 1 for record in gone}
    for record in gone:
        script.drop(record)
    cut = Cut(consumed=dict(script.consumed), starts=starts, kept_since=script.records[40].at)
    for record in gone:
        assert cut.is_kept((record.topic, record.partition), record.offset) is False
    assert script.broken(cut=cut) == set()


def test_a_consumed_input_without_an_output_is_a_torn_transaction() -> None:
    script = valid()
    script.drop(script.find(*CONFIRMED))
    assert "is committed, and has no output" in first(script, "L11")


def test_an_output_whose_input_is_not_committed_is_a_torn_transaction() -> None:
    script = valid()
    script.consumed[commands(ORDER), script.find(*CONFIRMED).partition] -= 1
    assert "and is not committed" in first(script, "L11")


def test_an_input_with_two_outputs_is_broken() -> None:
    script = valid()
    script.repeat(script.find(*CONFIRMED))
    assert "has a second output" in first(script, "L11")


def test_an_input_with_a_history_record_and_a_dead_letter_is_broken() -> None:
    script = valid()
    script.bury(script.find(commands(ORDER), "PaymentAuthorized"), "decide failed")
    assert "has a second output, order.dead-letters/" in first(script, "L11")


def test_an_output_whose_cause_was_never_in_the_log_is_broken() -> None:
    script = valid()
    script.drop(script.find(commands(ORDER), "PaymentAuthorized"))
    assert "is not in the log" in first(script, "L11")


def test_an_output_that_takes_its_cause_for_another_is_broken() -> None:
    script = valid()
    confirmed = script.find(*CONFIRMED)
    cause = decode_history(confirmed.value or b"").cause
    script.reframe(confirmed, cause=msgspec.structs.replace(cause, type="CheckHold"))
    assert "for CheckHold" in first(script, "L11")


def test_histories_that_do_not_follow_the_order_of_their_inputs_are_broken() -> None:
    script = valid()
    confirmed = script.find(*CONFIRMED)
    before = [r for r in script.records if r.topic == confirmed.topic and r.partition == confirmed.partition]
    script.swap(before[0], confirmed)
    assert "out of order" in first(script, "L11")


def test_an_unconsumed_input_is_broken_only_when_all_has_settled() -> None:
    script = valid()
    Story(script, "ord_new").placed()
    verdicts = script.verdicts(settled=False)
    assert verdicts["L11"].verdict == "holds"
    assert "was never consumed" in first(script, "L11")


def test_a_torn_transaction_is_open_while_the_other_half_may_be_on_its_way() -> None:
    script = valid()
    script.drop(script.find(*CONFIRMED))
    assert script.verdicts(settled=False)["L11"].verdict == "unknown"
    assert script.verdicts(settled=False, now=script.now + 6 * MINUTE)["L11"].verdict == "broken"


def test_a_history_recorded_in_motion_is_sound() -> None:
    """What was written between two looks is not held against the platform."""
    script = valid()
    before = Cut(consumed=dict(script.consumed), late={p: n for p, n in script.consumed.items()})
    story = Story(script, "ord_new")
    story.sold()
    cut = Cut(consumed=before.consumed, consumed_after=dict(script.consumed), late=before.late)
    seen = [r for r in script.records if r.topic.endswith(".commands") or r.headers.get("correlation") != "ord_new"]
    verdicts = script.verdicts(records=seen, cut=cut, settled=False, journals=[])
    assert not [verdict.first for verdict in verdicts.values() if verdict.verdict == "broken"]


def test_a_poison_message_set_aside_twice_is_broken() -> None:
    script = valid()
    script.repeat(script.find(dead_letters(ORDER), "Nonsense"))
    assert "was set aside before" in first(script, "L12")


@pytest.mark.parametrize("headers", [{"dead_reason": ""}, {"dead_offset": "nowhere"}])
def test_a_dead_letter_that_does_not_say_why_and_from_where_is_broken(headers: dict[str, str]) -> None:
    script = valid()
    script.relabel(script.find(dead_letters(ORDER), "Nonsense"), **headers)
    assert "L12" in script.broken()


def test_a_partition_that_did_not_move_on_from_its_poison_is_broken() -> None:
    script = valid()
    letter = script.find(dead_letters(ORDER), "Nonsense")
    script.consumed[commands(ORDER), letter.partition] = int(letter.headers["dead_offset"])
    assert "has not moved on" in first(script, "L12")


def test_a_timer_that_failed_is_a_dead_letter_of_its_own() -> None:
    script = valid()
    headers = {"id": "order.timer-ord_sold-6", "type": "StepDue", "dead_topic": "", "dead_reason": "decide failed"}
    script.append(dead_letters(ORDER), "ord_sold", b"{}", headers)
    assert script.broken() == set()
    script.append(dead_letters(ORDER), "ord_sold", b"{}", headers)
    assert script.broken() == {"L12"}


@pytest.mark.parametrize("name", ["actor", "correlation", "at", "causation", "id", "type"])
@pytest.mark.parametrize("topic", [events(ORDER), commands(INVENTORY)])
def test_a_record_without_one_of_its_names_breaks_the_law_of_provenance(topic: str, name: str) -> None:
    script = valid()
    record = script.find(topic, "Reserve")
    script.replace(record, headers={k: v for k, v in record.headers.items() if k != name})
    said = first(script, "L14")
    assert f"{topic}/{record.partition}@{record.offset}" in said
    assert name in said


def test_a_history_record_whose_cause_is_nobody_breaks_the_law_of_provenance() -> None:
    script = valid()
    confirmed = script.find(*CONFIRMED)
    cause = decode_history(confirmed.value or b"").cause
    script.reframe(confirmed, cause=msgspec.structs.replace(cause, actor=""))
    assert "its cause lacks id, type, actor or time" in first(script, "L14")


def test_a_client_command_needs_no_causation_and_a_poison_message_no_name_at_all() -> None:
    script = valid()
    assert "causation" not in script.find(commands(ORDER), "PlaceOrder").headers
    assert "actor" not in script.find(commands(ORDER), "Nonsense").headers
    assert script.verdicts()["L14"].verdict == "holds"


def test_a_nameless_command_is_open_until_it_is_consumed() -> None:
    script = valid()
    script.append(commands(ORDER), "ord_x", b"{}", {"type": "PlaceOrder"})
    assert script.verdicts(settled=False)["L14"].verdict == "unknown"
