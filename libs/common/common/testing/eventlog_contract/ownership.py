"""Laws of groups: one owner for each partition, and what becomes of one that lost it."""

import pytest

from common.errors import Fenced
from common.eventlog import Consumer
from common.testing.eventlog_contract.engine import WITHIN, Laws, World, owns, record, take, text
from common.testing.eventually import eventually


class OwnershipLaws(Laws):
    def test_a_frozen_owner_that_comes_back_is_fenced(self, world: World) -> None:
        source, target = world.topic(name="in"), world.topic(name="out")
        world.append(source, ("k", "1"))
        sleeper, successor = world.consumer(source, "sleeper"), world.consumer(source, "successor")
        taken = take(sleeper, 1)
        world.freeze(sleeper, "sleeper")
        assert take(successor, 1) == taken
        with pytest.raises(Fenced), sleeper.transaction() as transaction:
            transaction.send(record(target, "k", "of the sleeper"))
        with successor.transaction() as transaction:
            transaction.send(record(target, "k", "of the successor"))
        assert world.values(target) == ["of the successor"]

    def test_a_frozen_owner_is_fenced_even_if_it_writes_before_its_successor(self, world: World) -> None:
        source, target = world.topic(name="in"), world.topic(name="out")
        world.append(source, ("k", "1"))
        sleeper, successor = world.consumer(source, "sleeper"), world.consumer(source, "successor")
        take(sleeper, 1)
        world.freeze(sleeper, "sleeper")
        owns(successor, 1)
        with pytest.raises(Fenced), sleeper.transaction() as transaction:
            transaction.send(record(target, "k", "of the sleeper"))
        assert world.values(target) == []
        assert world.log.committed(source, group=world.group()).get(0, 0) == 0

    def test_a_timer_of_a_frozen_owner_is_fenced_too(self, world: World) -> None:
        source, target = world.topic(name="in"), world.topic(name="out")
        sleeper, successor = world.consumer(source, "sleeper"), world.consumer(source, "successor")
        owns(sleeper, 1)
        world.freeze(sleeper, "sleeper")
        owns(successor, 1)
        for _ in range(2):  # it stays fenced for as long as it has not polled
            with pytest.raises(Fenced), sleeper.transaction() as transaction:
                transaction.send(record(target, "k", "of the sleeper"))
        assert world.values(target) == []

    def test_a_fenced_member_loses_everything_and_may_join_again(self, world: World) -> None:
        source = world.topic()
        world.append(source, ("k", "1"))
        sleeper, successor = world.consumer(source, "sleeper"), world.consumer(source, "successor")
        taken = take(sleeper, 1)
        world.freeze(sleeper, "sleeper")
        owns(successor, 1)
        with pytest.raises(Fenced), sleeper.transaction():
            pass
        assert eventually(lambda: sleeper.poll(0.1).lost, within=WITHIN) == [0]
        successor.close()
        assert take(sleeper, 1) == taken

    def test_a_restart_under_the_same_name_takes_over_and_fences_its_predecessor(self, world: World) -> None:
        source, target = world.topic(partitions=3, name="in"), world.topic(name="out")
        world.append(source, *((f"k{n}", str(n)) for n in range(9)))
        old = world.consumer(source)
        take(old, 9)
        new = world.consumer(source, log=world.engine.open())
        assert sorted(text(each) for each in take(new, 9)) == [str(n) for n in range(9)]
        with pytest.raises(Fenced), old.transaction() as transaction:
            transaction.send(record(target, "k", "old"))
        with new.transaction() as transaction:
            transaction.send(record(target, "k", "new"))
        assert world.values(target) == ["new"]

    def test_a_predecessor_does_not_disturb_its_successor(self, world: World) -> None:
        source = world.topic()
        old = world.consumer(source)
        owns(old, 1)
        new = world.consumer(source)
        owns(new, 1)
        for n in range(5):
            world.append(source, ("k", str(n)))
            assert not old.poll(0.0).records
            assert [text(each) for each in take(new, 1)] == [str(n)]
            with new.transaction():
                pass
        assert world.log.committed(source, group=world.group()) == {0: 5}

    def test_two_transactions_cannot_both_commit_the_same_input(self, world: World) -> None:
        source, target = world.topic(name="in"), world.topic(name="out")
        world.append(source, ("k", "1"))
        first, second = world.consumer(source, "first"), world.consumer(source, "second")
        take(first, 1)
        with pytest.raises(Fenced), first.transaction() as late:
            late.send(record(target, "k", "first"))
            world.freeze(first, "first")
            take(second, 1)
            with second.transaction() as transaction:
                transaction.send(record(target, "k", "second"))
        assert world.values(target) == ["second"]

    def test_a_member_that_leaves_hands_over_what_it_did_not_commit(self, world: World) -> None:
        source = world.topic()
        world.append(source, *(("k", str(n)) for n in range(4)))
        leaver, stayer = world.consumer(source, "leaver"), world.consumer(source, "stayer")
        take(leaver, 2)
        with leaver.transaction():
            pass
        take(leaver, 1)
        leaver.close()
        assert [text(each) for each in take(stayer, 2)] == ["2", "3"]

    def test_members_share_the_partitions_evenly(self, world: World) -> None:
        source = world.topic(partitions=12)
        members = [world.consumer(source, f"member-{n}") for n in range(3)]
        owned: list[set[int]] = [set(), set(), set()]

        def poll() -> list[int]:
            for member, mine in zip(members, owned, strict=True):
                batch = member.poll(0.05)
                mine.difference_update(batch.lost)
                mine.update(batch.gained)
            return [len(mine) for mine in owned]

        eventually(poll, lambda counts: counts == [4, 4, 4], within=WITHIN)
        assert set.union(*owned) == set(range(12))
        members[0].close()
        members, owned = members[1:], owned[1:]
        eventually(poll, lambda counts: counts == [6, 6], within=WITHIN)
        assert set.union(*owned) == set(range(12))

    def test_nothing_is_handled_twice_while_members_come_and_go(self, world: World) -> None:
        source, target = world.topic(partitions=6, name="in"), world.topic(partitions=2, name="out")
        members: list[Consumer] = []
        for round in range(6):
            world.append(source, *((f"k{n}", f"{round}.{n}") for n in range(20)))
            if round == 4:
                members.pop(0).close()
            else:
                members.append(world.consumer(source, f"member-{round}"))
            for member in members * 3:
                _handle(member, target)

        def handled() -> int:
            for member in members:
                _handle(member, target)
            return len(world.values(target))

        eventually(handled, lambda count: count >= 120, within=WITHIN)
        assert sorted(world.values(target)) == sorted(f"{round}.{n}" for round in range(6) for n in range(20))

    def test_groups_do_not_know_each_other(self, world: World) -> None:
        source = world.topic()
        world.append(source, ("k", "1"))
        one, other = world.consumer(source, group="one"), world.consumer(source, group="other")
        assert take(one, 1) == take(other, 1)
        with one.transaction():
            pass
        assert world.log.committed(source, group=world.group("one")) == {0: 1}
        assert world.log.committed(source, group=world.group("other")).get(0, 0) == 0


def _handle(member: Consumer, target: str) -> None:
    """One output for each input. Fenced: somebody else does it."""
    batch = member.poll(0.02, limit=7)
    try:
        with member.transaction() as transaction:
            for each in batch.records:
                transaction.send(record(target, each.key, text(each)))
    except Fenced:
        pass
