"""Laws of transactions: what was sent and how far was read, together or not at all."""

import threading
import time

import pytest

from common.errors import LogError, UnknownTopic
from common.eventlog import Consumer, Record
from common.testing.eventlog_contract.engine import WITHIN, Laws, World, owns, record, take, text


class Undone(Exception):
    """Thrown by a test out of a transaction."""


class TransactionLaws(Laws):
    def test_records_and_offsets_become_visible_together(self, world: World) -> None:
        source, target = world.topic(name="in"), world.topic(name="out")
        world.append(source, ("k", "1"), ("k", "2"))
        consumer = world.consumer(source)
        taken = take(consumer, 2)
        with consumer.transaction() as transaction:
            transaction.send(record(target, "k", "done"))
            assert world.values(target) == []
            assert world.log.committed(source, group=world.group()).get(0, 0) == 0
        assert world.values(target) == ["done"]
        assert world.log.committed(source, group=world.group()) == {0: taken[-1].offset + 1}

    def test_sent_records_are_where_the_transaction_says(self, world: World) -> None:
        source, target = world.topic(name="in"), world.topic(partitions=4, name="out")
        world.append(source, ("k", "1"))
        consumer = world.consumer(source)
        take(consumer, 1)
        with consumer.transaction() as transaction:
            for n in range(10):
                transaction.send(record(target, f"k{n}", str(n)))
            transaction.send(Record(target, "k", b"x", partition=3))
        read = {(each.topic, each.partition, each.offset): text(each) for each in world.read(target)}
        assert [read[position] for position in transaction.positions] == [*map(str, range(10)), "x"]
        assert transaction.positions[-1].partition == 3

    def test_an_aborted_transaction_leaves_nothing_and_delivers_its_input_again(self, world: World) -> None:
        source, target = world.topic(name="in"), world.topic(name="out")
        world.append(source, ("k", "1"), ("k", "2"))
        consumer = world.consumer(source)
        taken = take(consumer, 2)
        with pytest.raises(Undone), consumer.transaction() as transaction:
            transaction.send(record(target, "k", "never"))
            raise Undone
        assert world.values(target) == []
        assert world.log.committed(source, group=world.group()).get(0, 0) == 0
        assert take(consumer, 2) == taken

    def test_an_abort_takes_back_everything_polled_since_the_last_commit(self, world: World) -> None:
        source = world.topic()
        world.append(source, *(("k", str(n)) for n in range(6)))
        consumer = world.consumer(source)
        take(consumer, 2)
        _commit(consumer)
        take(consumer, 1)
        take(consumer, 2)
        with pytest.raises(Undone), consumer.transaction():
            raise Undone
        assert [text(each) for each in take(consumer, 4)] == ["2", "3", "4", "5"]

    def test_a_reader_passes_over_what_was_aborted(self, world: World) -> None:
        source, target = world.topic(name="in"), world.topic(name="out")
        world.append(source, ("k", "1"))
        consumer = world.consumer(source)
        for attempt in range(3):
            take(consumer, 1)
            with pytest.raises(Undone), consumer.transaction() as transaction:
                transaction.send(record(target, "k", f"never {attempt}"))
                raise Undone
        take(consumer, 1)
        with consumer.transaction() as transaction:
            transaction.send(record(target, "k", "once"))
        assert world.values(target) == ["once"]

    def test_what_was_committed_is_not_delivered_again_after_a_restart(self, world: World) -> None:
        source = world.topic()
        world.append(source, *(("k", str(n)) for n in range(4)))
        consumer = world.consumer(source)
        take(consumer, 2)
        _commit(consumer)
        take(consumer, 1)  # not committed
        consumer.close()
        assert [text(each) for each in take(world.consumer(source), 2)] == ["2", "3"]

    def test_a_transaction_needs_no_input(self, world: World) -> None:
        source, target = world.topic(name="in"), world.topic(name="out")
        consumer = world.consumer(source)
        owns(consumer, 1)
        with consumer.transaction() as transaction:
            transaction.send(record(target, "k", "timer"))
        assert world.values(target) == ["timer"]
        assert world.log.committed(source, group=world.group()).get(0, 0) == 0

    def test_a_transaction_of_nothing_is_harmless(self, world: World) -> None:
        consumer = world.consumer(world.topic())
        owns(consumer, 1)
        with consumer.transaction() as transaction:
            pass
        assert list(transaction.positions) == []

    def test_sending_to_an_unknown_topic_aborts(self, world: World) -> None:
        source, target = world.topic(name="in"), world.topic(name="out")
        world.append(source, ("k", "1"))
        consumer = world.consumer(source)
        taken = take(consumer, 1)
        with pytest.raises(UnknownTopic), consumer.transaction() as transaction:
            transaction.send(record(target, "k", "v"))
            transaction.send(record("nowhere", "k", "v"))
        assert world.values(target) == []
        assert take(consumer, 1) == taken

    def test_seek_reads_from_there(self, world: World) -> None:
        source = world.topic()
        positions = world.append(source, *(("k", str(n)) for n in range(6)))
        consumer = world.consumer(source)
        take(consumer, 4)
        _commit(consumer)
        consumer.seek(0, positions[1].offset)
        assert [text(each) for each in take(consumer, 2)] == ["1", "2"]
        consumer.seek(0, positions[5].offset)
        assert [text(each) for each in take(consumer, 1)] == ["5"]
        _commit(consumer)
        assert world.log.committed(source, group=world.group()) == {0: positions[5].offset + 1}

    def test_seek_needs_an_owner(self, world: World) -> None:
        consumer = world.consumer(world.topic())
        with pytest.raises(LogError, match="seek"):
            consumer.seek(0, 0)

    def test_wake_makes_a_waiting_poll_return(self, world: World) -> None:
        consumer = world.consumer(world.topic())
        owns(consumer, 1)
        alarm = threading.Timer(0.2, consumer.wake)
        alarm.start()
        started = time.monotonic()
        batch = consumer.poll(WITHIN)
        alarm.join()
        assert not batch.records
        assert time.monotonic() - started < WITHIN / 2

    def test_a_waiting_poll_returns_with_the_first_record(self, world: World) -> None:
        source = world.topic()
        consumer = world.consumer(source)
        owns(consumer, 1)
        other = world.engine.open()
        writer = threading.Timer(0.2, lambda: other.append([record(source, "k", "v")]).result(WITHIN))
        writer.start()
        assert [text(each) for each in take(consumer, 1)] == ["v"]
        writer.join()


def _commit(consumer: Consumer) -> None:
    with consumer.transaction():
        pass
