"""How partitions are shared, and what a member has in hand."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import LogError, Unavailable
from common.eventlog import Stored
from common.eventlog.assignment import Assignment, Fetch, rebalance, shares


@given(st.dictionaries(st.integers(1, 20), st.integers(0, 12), min_size=1), st.integers(1, 24))
def test_shares_are_even_and_leave_nothing_over(owned: dict[int, int], partitions: int) -> None:
    share = shares(owned, partitions)
    assert sum(share.values()) == partitions
    assert max(share.values()) - min(share.values()) <= 1


@given(st.dictionaries(st.integers(1, 20), st.integers(0, 12), min_size=1), st.integers(1, 24))
def test_a_group_at_rest_stays_at_rest(owned: dict[int, int], partitions: int) -> None:
    share = shares(owned, partitions)
    assert shares(share, partitions) == share


def test_those_who_own_most_keep_the_odd_ones() -> None:
    assert shares({1: 0, 2: 4, 3: 3}, 7) == {2: 3, 1: 2, 3: 2}
    assert shares({7: 12}, 12) == {7: 12}


@given(st.lists(st.one_of(st.none(), st.integers(1, 4)), min_size=1, max_size=12), st.data())
def test_a_group_comes_to_rest_with_every_partition_owned(found: list[int | None], data: st.DataObject) -> None:
    owners = dict(enumerate(found))
    sessions = {1, 2, 3, 4}
    for _ in range(20):
        me = data.draw(st.sampled_from(sorted(sessions)))
        move = rebalance(owners, sessions, me, frozenset())
        assert not move.owes
        owners |= dict.fromkeys(move.given) | dict.fromkeys(move.taken, me)
    for me in sorted(sessions) * 2:
        move = rebalance(owners, sessions, me, frozenset())
        owners |= dict.fromkeys(move.given) | dict.fromkeys(move.taken, me)
    counts = [list(owners.values()).count(session) for session in sessions]
    assert sum(counts) == len(found)
    assert max(counts) - min(counts) <= 1


def test_what_is_busy_is_owed() -> None:
    assert rebalance({0: 1, 1: 1, 2: 1, 3: 1}, {1, 2}, 1, {0, 1, 2}) == ([3], [], True)
    assert rebalance({0: 1, 1: 1, 2: 1, 3: 1}, {1, 2}, 1, {0, 1}) == ([2, 3], [], False)


def test_every_partition_gets_its_share_of_a_poll() -> None:
    assignment = _owning(0, 1, 2)
    found = assignment.read({0: 100, 1: 1, 2: 100}, 30, _fetch({0: 100, 1: 1, 2: 100}))
    assert sorted({each.partition for each in found}) == [0, 1, 2]
    assert 20 < len(found) <= 30


def test_more_partitions_than_the_limit_take_turns() -> None:
    assignment = _owning(*range(6))
    ends = dict.fromkeys(range(6), 100)
    seen = [each.partition for _ in range(6) for each in assignment.read(ends, 2, _fetch(ends))]
    assert set(seen) == set(range(6))


def test_a_rewind_goes_back_to_the_last_commit() -> None:
    assignment = _owning(0)
    first = assignment.read({0: 3}, 10, _fetch({0: 3}))
    assignment.committed()
    second = assignment.read({0: 9}, 2, _fetch({0: 9})) + assignment.read({0: 9}, 2, _fetch({0: 9}))
    assert [each.offset for each in first + second] == [0, 1, 2, 3, 4, 5, 6]
    assert assignment.uncommitted == {0: 7}
    assignment.rewind()
    assert assignment.uncommitted == {}
    assert assignment.read({0: 9}, 2, _fetch({0: 9})) == second[:2]


def test_a_read_that_fails_half_way_hands_out_nothing() -> None:
    assignment = _owning(0, 1)
    fetched: list[int] = []

    def fail(partition: int, offset: int, limit: int) -> tuple[Sequence[Stored], int]:
        fetched.append(partition)
        if len(fetched) == 2:
            raise Unavailable("now")
        return _fetch({0: 5, 1: 5})(partition, offset, limit)

    with pytest.raises(Unavailable):
        assignment.read({0: 5, 1: 5}, 10, fail)
    assert assignment.uncommitted == {}
    assert len(assignment.read({0: 5, 1: 5}, 10, _fetch({0: 5, 1: 5}))) == 10


def test_what_is_lost_is_forgotten_and_what_stays_goes_on() -> None:
    assignment = _owning(0, 1)
    assignment.read({0: 4, 1: 4}, 10, _fetch({0: 4, 1: 4}))
    assert assignment.update({1: 0, 2: 7}, anew=False) == ([2], [0])
    assert assignment.uncommitted == {1: 4}
    assert assignment.busy == {1}
    assert assignment.update({1: 0, 2: 7}, anew=True) == ([1, 2], [1, 2])
    assert assignment.uncommitted == {}


def test_only_an_owner_seeks() -> None:
    assignment = _owning(0)
    with pytest.raises(LogError, match="partition 1"):
        assignment.seek(1, 0)


def _owning(*partitions: int) -> Assignment:
    assignment = Assignment()
    assignment.update(dict.fromkeys(partitions, 0), anew=True)
    return assignment


def _fetch(ends: dict[int, int]) -> Fetch:
    def fetch(partition: int, offset: int, limit: int) -> tuple[Sequence[Stored], int]:
        after = min(ends[partition], offset + limit)
        return [Stored("t", partition, n, "k", b"", {}, 0) for n in range(offset, after)], after

    return fetch
