"""What the recovery table says of a fault, from what the clients saw."""

from math import inf

from tests.faults.plan import NONE_FAILS, Fault, Promise, Round
from tests.faults.recovery import Recovery, Struck, Told, measure, report, table

KILL = Round((Fault("kill", "order", promise=Promise(10.0)),), 5.0)
STRUCK = Struck(KILL, at=100.0, until=105.0)


def orders(*, away: float) -> list[Told]:
    """Ten a second from 95 to 110; nobody answers from 100 on for so long, then all are answered."""
    found = []
    for tenth in range(950, 1100):
        due = tenth / 10
        answered = max(due, 100 + away) if due >= 100 else due
        errors = [(due, "503")] if answered > due else []
        found.append(Told(due, accepted=answered + 0.01, completed=answered + 0.1, errors=errors))
    return found


def measured(told: list[Told], struck: Struck = STRUCK) -> Recovery:
    found = measure(struck, told)
    assert found is not None
    return found


def test_recovery_is_the_time_until_an_order_from_after_the_fault_succeeds() -> None:
    found = measured(orders(away=2.0))
    assert (found.fault, round(found.accepted, 2), round(found.completed, 2)) == ("kill order", 2.01, 2.1)


def test_errors_and_disturbed_orders_are_told() -> None:
    found = measured(orders(away=2.0))
    assert (found.errors, round(found.disturbed, 2)) == (20, 2.01)
    undisturbed = measured(orders(away=0.0))
    assert (undisturbed.errors, undisturbed.disturbed) == (0, 0.0)


def test_an_order_from_before_the_fault_proves_nothing() -> None:
    before = [Told(99.9, accepted=100.2, completed=100.3), Told(101.0)]
    assert measured(before).accepted == inf


def test_what_the_next_round_does_is_not_put_down_to_this_one() -> None:
    assert measured([Told(104.9, accepted=107.0)]).disturbed == 0.0


def test_without_an_order_from_after_the_fault_nothing_is_known() -> None:
    assert measure(STRUCK, [Told(99.9, accepted=100.2)]) is None


def test_a_slow_acceptance_disturbs_but_not_where_the_outcome_was_waited_for() -> None:
    slow = Told(101.0, accepted=103.0)
    assert measured([slow]).disturbed == 3.0
    assert measured([Told(101.0, waits=True, accepted=103.0)]).disturbed == 0.0


def test_a_fault_among_others_is_not_told_as_if_it_came_alone() -> None:
    two = Round((Fault("kill", "order"), Fault("freeze", "payment", 2.0)), 5.0)
    assert measured(orders(away=0.0), Struck(two, 100, 105)).fault == "several at once"
    assert measured(orders(away=0.0), Struck(Round((), 3.0), 100, 103)).fault == "nothing"


def recovery(*, read: float = 0.0, accepted: float = 0.0, completed: float = 0.0, promise: Promise) -> Recovery:
    return Recovery("kill order", read, accepted, completed, 0.0, 3, promise)


def test_a_promise_is_about_orders_or_about_reads() -> None:
    orders, reads = Promise(10.0), Promise(1.0, "read")
    assert recovery(read=99.0, accepted=1.0, completed=9.0, promise=orders).kept
    assert not recovery(accepted=1.0, completed=11.0, promise=orders).kept
    assert recovery(read=0.5, accepted=99.0, promise=reads).kept
    assert not recovery(read=1.5, promise=reads).kept


def test_the_table_has_median_and_worst_and_how_often_the_promise_was_kept() -> None:
    found = [recovery(read=0.1, accepted=at, completed=at + 1, promise=Promise(10.0)) for at in (1.0, 2.0, 12.0)]
    (row,) = report(found)
    assert (row["times"], row["accepted"], row["completed"]["worst"]) == (3, {"median": 2.0, "worst": 12.0}, 13.0)
    shown = table([row]).splitlines()[-1]
    assert shown == (
        "| kill order | 3 | 0.10 / 0.10 | 2.00 / 12.00 | 3.00 / 13.00 | 0.00 / 0.00 | 3 / 3 | order 10 | 2 of 3 |"
    )


def test_that_no_request_fails_is_kept_by_none_however_slow() -> None:
    assert Recovery("restart order", 9.0, 9.0, 9.0, 9.0, 0, NONE_FAILS).kept
    assert Recovery("restart order", 0.1, 0.1, 0.1, 0.0, 1, NONE_FAILS).kept is False
