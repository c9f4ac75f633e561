"""Damage that nobody thought of: any one record of any history lost, repeated or exchanged is noticed by some law.

What no law can notice, because no other record speaks of it: the exchange of two dead letters, or of two timers' records of
different aggregates, in one partition; and the loss of a client's command that was neither consumed nor acknowledged to a
client with a journal.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from common.eventlog import Stored
from laws import Cut, Verdict
from laws.testing import Script, Story
from laws.testing.stories import stocked

STORIES: Sequence[Callable[[Story], None]] = (
    Story.sold,
    Story.out_of_stock,
    Story.declined,
    Story.silence,
    Story.customer_cancels,
)

tales = st.lists(st.sampled_from(STORIES), min_size=1, max_size=5)


def told(tale: Sequence[Callable[[Story], None]]) -> Script:
    script = Script()
    stocked(script, "tea", 10)
    stocked(script, "mug", 10)
    for number, story in enumerate(tale):
        story(Story(script, f"ord_{number}", ("tea", "pot") if story is Story.out_of_stock else ("tea", "mug")))
    return script


@settings(deadline=None, max_examples=60)
@given(tales)
def test_every_tale_is_within_the_laws(tale: Sequence[Callable[[Story], None]]) -> None:
    verdicts = told(tale).verdicts()
    assert {verdict.first for verdict in verdicts.values()} == {None}


@settings(deadline=None, max_examples=150)
@given(tales, st.data())
def test_a_record_that_is_lost_or_repeated_is_noticed(
    tale: Sequence[Callable[[Story], None]], data: st.DataObject
) -> None:
    script = told(tale)
    record = data.draw(st.sampled_from(script.records))
    data.draw(st.sampled_from((script.drop, script.repeat)))(record)
    assert script.broken()


@settings(deadline=None, max_examples=150)
@given(tales, st.data())
def test_two_records_that_changed_places_are_noticed(
    tale: Sequence[Callable[[Story], None]], data: st.DataObject
) -> None:
    script = told(tale)
    one = data.draw(st.sampled_from(script.records))
    others = [other for other in script.records if other is not one and other[:2] == one[:2]]
    assume(others and not all(timer(record) for record in others))
    other = data.draw(st.sampled_from(others))
    assume(not (timer(one) and timer(other)))
    script.swap(one, other)
    assert script.broken()


@settings(deadline=None, max_examples=60)
@given(tales, st.integers(0, 2**32))
def test_a_history_cut_off_at_any_moment_is_never_called_broken(
    tale: Sequence[Callable[[Story], None]], cut: int
) -> None:
    script = told(tale)
    del script.records[cut % len(script.records) :]
    moving = Cut(consumed={}, consumed_after=script.consumed)
    verdicts = script.verdicts(settled=False, cut=moving, models={}, ledger=None, journals=[])
    assert not [verdict.first for verdict in verdicts.values() if verdict.verdict == "broken"]


@settings(deadline=None, max_examples=100)
@given(tales, st.data())
def test_the_order_in_which_partitions_are_read_does_not_matter(
    tale: Sequence[Callable[[Story], None]], data: st.DataObject
) -> None:
    script = told(tale)
    if data.draw(st.booleans()):
        data.draw(st.sampled_from((script.drop, script.repeat)))(data.draw(st.sampled_from(script.records)))
    places = data.draw(st.permutations(sorted({record[:2] for record in script.records})))
    verdicts = script.verdicts()
    script.records.sort(key=lambda record: places.index(record[:2]))
    assert counted(script.verdicts()) == counted(verdicts)


def counted(verdicts: Mapping[str, Verdict]) -> list[tuple[str, str, int, int]]:
    return [(id, verdict.verdict, verdict.checked, verdict.broken) for id, verdict in verdicts.items()]


texts = st.text(max_size=10) | st.sampled_from(["0", "-1", "order.commands", "99999999999999999999", "OrderPlaced"])
damages = st.one_of(
    st.binary(max_size=20),
    st.dictionaries(st.sampled_from(["cause", "version", "events", "sent"]), st.none() | st.integers() | texts),
    st.dictionaries(
        st.sampled_from(["id", "at", "type", "actor", "dead_topic", "dead_partition", "dead_offset"]), texts
    ),
)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**32), damages)
def test_no_damage_to_a_record_makes_a_checker_fail(chosen: int, damage: bytes | dict[str, Any]) -> None:
    """It is there to report damage, not to suffer it."""
    script = told(STORIES)
    record = script.records[chosen % len(script.records)]
    script.bury(record, "so that every form of record is there")
    record = script.records[chosen % len(script.records)]
    match damage:
        case bytes():
            script.replace(record, value=damage)
        case {"cause": _} | {"version": _} | {"events": _} | {"sent": _}:
            script.replace(record, value=msgspec.json.encode({**msgspec.json.decode(record.value or b"{}"), **damage}))
        case _:
            script.relabel(record, **damage)
    assert len(script.verdicts()) == 14


def timer(record: Stored) -> bool:
    return record.headers["id"].split("-")[0].endswith(".timer")
