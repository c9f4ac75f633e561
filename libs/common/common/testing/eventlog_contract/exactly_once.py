"""One law over random histories: whatever members do and suffer, every input has exactly one output."""

import random
from collections import defaultdict
from contextlib import suppress

import pytest

from common.errors import Fenced
from common.eventlog import Consumer, Stored
from common.testing.eventlog_contract.engine import WITHIN, Laws, World, record, text
from common.testing.eventually import eventually

STEPS = 150
SLOTS = ("a", "b", "c")


class Undone(Exception):
    """A handler that failed."""


class Member:
    """One life of a member: it may poll several times before it commits, fail, be frozen, or be replaced and not know it."""

    def __init__(self, consumer: Consumer, name: str, target: str) -> None:
        self.consumer = consumer
        self.name = name
        self._target = target
        self._held: list[Stored] = []

    def work(self, chance: random.Random) -> None:
        batch = self.consumer.poll(0.0, limit=chance.choice((1, 3, 50)))
        self._held = [each for each in self._held if each.partition not in batch.lost] + list(batch.records)
        if chance.random() < 0.7:
            self.commit(fail=chance.random() < 0.2)

    def commit(self, *, fail: bool = False) -> None:
        with suppress(Fenced, Undone), self.consumer.transaction() as transaction:
            for each in self._held:
                transaction.send(record(self._target, each.key, text(each)))
            if fail:
                raise Undone
        self._held = []  # written, or to be delivered again


class ExactlyOnceLaws(Laws):
    @pytest.mark.parametrize("seed", range(4))
    def test_every_input_has_exactly_one_output_in_order(self, world: World, seed: int) -> None:
        chance = random.Random(seed)
        source, target = world.topic(partitions=4, name="in"), world.topic(partitions=2, name="out")
        alive: dict[str, Member] = {}
        zombies: list[Member] = []
        written: dict[str, list[str]] = defaultdict(list)
        for step in range(STEPS):
            keys = [f"k{chance.randrange(8)}" for _ in range(chance.randrange(4))]
            world.append(source, *((key, f"{key}/{step}.{n}") for n, key in enumerate(keys)))
            for n, key in enumerate(keys):
                written[key].append(f"{key}/{step}.{n}")
            slot = chance.choice(SLOTS)
            match chance.random():
                case luck if (
                    slot not in alive or luck < 0.05
                ):  # starts, or starts again while its predecessor still lives
                    zombies += [alive[slot]] if slot in alive else []
                    alive[slot] = Member(world.consumer(source, slot), slot, target)
                case luck if luck < 0.10:
                    alive.pop(slot).consumer.close()
                case luck if luck < 0.12:
                    world.freeze(alive[slot].consumer, slot)
                case luck if luck < 0.25 and zombies:
                    chance.choice(zombies).work(chance)
                case _:
                    alive[slot].work(chance)
        survivor = alive.get("a") or Member(world.consumer(source, "a"), "a", target)
        for member in [*alive.values(), *zombies]:
            if member is not survivor:
                member.consumer.close()
        total = sum(map(len, written.values()))

        def finish() -> int:
            survivor.work(chance)
            survivor.commit()
            return len(world.values(target))

        eventually(finish, lambda count: count >= total, within=WITHIN)
        found: dict[str, list[str]] = defaultdict(list)
        for each in world.read(target):
            found[each.key].append(text(each))
        assert found == written
