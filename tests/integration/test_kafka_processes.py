"""Processes that die or freeze at the worst moments: nothing is lost, nothing is done twice, and nobody waits for ever."""

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest

from common.eventlog import Consumer, Record, Topic
from common.eventlog.kafka import KafkaConnection, KafkaLog
from common.testing.eventlog_contract.engine import follow, text
from common.testing.eventually import eventually

pytestmark = pytest.mark.kafka

LEASE = 2_000
LONG = "600"  # seconds: a transaction that ends sooner was ended by somebody


class Member:
    """One process of kafka_member.py."""

    def __init__(self, *arguments: str) -> None:
        script = Path(__file__).parent / "kafka_member.py"
        self.process = subprocess.Popen(
            [sys.executable, str(script), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


class World:
    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.run = uuid.uuid4().hex[:8]
        self.log = KafkaLog(KafkaConnection(bootstrap), lease=LEASE)
        self.source, self.target, self.group = f"in-{self.run}", f"out-{self.run}", f"group-{self.run}"
        self.log.create([Topic(self.source, 1), Topic(self.target, 1)])
        self._closing: list[Callable[[], None]] = []

    def member(self, name: str, at: str, timeout: str = "10") -> Member:
        """Started, and paused there with the one record of the input in hand."""
        self.append(self.source, "1")
        member = Member(self.bootstrap, self.source, self.target, self.group, name, str(LEASE), at, timeout)
        self._closing.append(member.close)
        assert member.hear() == at
        return member

    def consumer(self, name: str) -> Consumer:
        consumer = self.log.consumer(self.source, group=self.group, member=name)
        self._closing.append(consumer.close)
        return consumer

    def append(self, topic: str, value: str) -> None:
        self.log.append([Record(topic, "k", value.encode())]).result(20)

    def copy(self, consumer: Consumer, name: str) -> list[str]:
        """One step of a member in this process."""
        batch = consumer.poll(0.1)
        with consumer.transaction() as transaction:
            for each in batch.records:
                transaction.send(Record(self.target, each.key, f"{name}:{text(each)}".encode()))
        return [text(each) for each in batch.records]

    def copied(self) -> list[str]:
        reader = self.log.reader({(self.target, 0): 0})
        try:
            return follow(reader, 1)
        finally:
            reader.close()

    def close(self) -> None:
        for close in reversed(self._closing):
            close()
        self.log.close()


@pytest.fixture
def world(kafka: str) -> Iterator[World]:
    world = World(kafka)
    yield world
    world.close()


def test_a_restart_frees_the_readers_that_a_killed_process_holds_up(world: World) -> None:
    member = world.member("0", "written", LONG)
    world.append(world.target, "behind")
    reader = world.log.reader({(world.target, 0): 0})
    assert not reader.poll(1.0)
    member.process.kill()
    assert not reader.poll(1.0)
    successor = world.consumer("0")
    eventually(lambda: successor.poll(0.1).gained, within=20)
    assert follow(reader, 1) == ["behind"]
    reader.close()


def test_without_a_restart_the_broker_ends_the_transaction_of_a_killed_process(world: World) -> None:
    member = world.member("0", "written", "3")
    world.append(world.target, "behind")
    member.process.kill()
    assert world.copied() == ["behind"]


def test_a_killed_process_leaves_nothing_and_its_successor_does_the_work(world: World) -> None:
    member = world.member("0", "offsets", LONG)
    member.process.kill()
    successor = world.consumer("0")
    assert eventually(lambda: world.copy(successor, "new"), within=20) == ["1"]
    assert world.copied() == ["new:1"]


def test_a_process_that_slept_longer_than_its_lease_is_refused(world: World) -> None:
    member = world.member("sleeper", "polled")
    member.process.send_signal(SIGSTOP)
    successor = world.consumer("successor")
    assert eventually(lambda: world.copy(successor, "successor"), within=20) == ["1"]
    member.process.send_signal(SIGCONT)
    member.go_on()
    assert member.hear() == "Fenced"
    assert world.copied() == ["successor:1"]


def test_a_successor_waits_for_a_commit_that_its_frozen_predecessor_has_begun(world: World) -> None:
    member = world.member("sleeper", "offsets", LONG)
    member.process.send_signal(SIGSTOP)
    successor = world.consumer("successor")
    for _ in range(2 * LEASE // 100):  # longer than the lease: the partition is its own by now, its offset is not
        assert not successor.poll(0.1).gained
    member.process.send_signal(SIGCONT)
    member.go_on()
    assert member.hear() == "committed"
    world.append(world.source, "2")
    assert eventually(lambda: world.copy(successor, "successor"), within=20) == ["2"]
    assert world.copied() == ["sleeper:1", "successor:2"]


def test_who_is_replaced_between_the_offsets_and_the_end_leaves_nothing(world: World) -> None:
    member = world.member("0", "offsets", LONG)
    successor = world.consumer("0")
    assert eventually(lambda: world.copy(successor, "new"), within=20) == ["1"]
    member.go_on()
    assert member.hear() == "Fenced"
    assert world.copied() == ["new:1"]
