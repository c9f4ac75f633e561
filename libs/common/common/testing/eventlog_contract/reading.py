"""Laws of readers and offsets."""

import threading
import time

import pytest

from common.errors import UnknownTopic
from common.eventlog import Cleanup, Record
from common.testing.eventlog_contract.engine import WITHIN, Laws, World, follow, text


class ReadingLaws(Laws):
    def test_records_of_one_key_are_read_in_the_order_of_their_acknowledgement(self, world: World) -> None:
        topic = world.topic(partitions=3)
        for n in range(30):
            world.append(topic, (f"key-{n % 5}", str(n)))
        for key in range(5):
            mine = [int(text(each)) for each in world.read(topic) if each.key == f"key-{key}"]
            assert mine == sorted(mine) and len(mine) == 6

    def test_a_replay_starts_at_any_position(self, world: World) -> None:
        topic = world.topic()
        positions = world.append(topic, *(("k", str(n)) for n in range(20)))
        for start in (0, 7, 19):
            reader = world.log.reader({(topic, 0): positions[start].offset})
            assert follow(reader, 20 - start) == [str(n) for n in range(start, 20)]
            reader.close()

    def test_a_reader_gives_no_more_than_its_limit_and_leaves_nothing_out(self, world: World) -> None:
        topic = world.topic(partitions=3)
        world.append(topic, *((f"k{n}", str(n)) for n in range(50)))
        reader = world.log.reader({(topic, partition): 0 for partition in range(3)})
        found = follow(reader, 50, limit=7)
        reader.close()
        assert sorted(map(int, found)) == list(range(50))

    def test_a_reader_reads_several_topics(self, world: World) -> None:
        one, two = world.topic(name="one"), world.topic(name="two")
        world.append(one, ("k", "1"))
        world.append(two, ("k", "2"))
        reader = world.log.reader({(one, 0): 0, (two, 0): 0})
        assert set(follow(reader, 2)) == {"1", "2"}
        assert reader.positions() == {(one, 0): 1, (two, 0): 1}
        reader.close()

    def test_a_waiting_reader_hears_of_the_first_record(self, world: World) -> None:
        topic = world.topic()
        reader = world.engine.open().reader({(topic, 0): 0})
        assert not reader.poll(0.0)
        writer = threading.Timer(0.2, lambda: world.append(topic, ("k", "v")))
        writer.start()
        started = time.monotonic()
        found = reader.poll(WITHIN)
        writer.join()
        reader.close()
        assert [text(each) for each in found] == ["v"]
        assert time.monotonic() - started < WITHIN

    def test_a_reader_that_waits_in_vain_comes_back_in_time(self, world: World) -> None:
        topic = world.topic()
        reader = world.log.reader({(topic, 0): 0})
        started = time.monotonic()
        assert not reader.poll(0.2)
        reader.close()
        assert 0.15 < time.monotonic() - started < WITHIN

    def test_an_empty_topic_starts_and_ends_at_nought(self, world: World) -> None:
        topic = world.topic(partitions=2)
        assert world.log.start_offsets(topic) == world.log.end_offsets(topic) == {0: 0, 1: 0}
        assert world.log.committed(topic, group=world.group()) == {}

    def test_the_end_is_one_past_the_last_record(self, world: World) -> None:
        topic = world.topic(partitions=2)
        positions = world.log.append([Record(topic, "k", b"", partition=1)] * 3).result(WITHIN)
        assert world.log.end_offsets(topic) == {0: 0, 1: positions[-1].offset + 1}

    def test_a_topic_that_was_never_created_is_unknown_to_all(self, world: World) -> None:
        with pytest.raises(UnknownTopic):
            world.log.consumer("nowhere", group="g", member="m")
        with pytest.raises(UnknownTopic):
            world.log.reader({("nowhere", 0): 0})
        with pytest.raises(UnknownTopic):
            world.log.end_offsets("nowhere")
        with pytest.raises(UnknownTopic):
            world.log.start_offsets("nowhere")
        with pytest.raises(UnknownTopic):
            world.log.committed("nowhere", group="g")

    def test_compaction_keeps_the_last_of_each_key_where_it_was(self, world: World) -> None:
        topic = world.topic(cleanup=Cleanup.COMPACT)
        for n in range(5):
            world.append(topic, *((f"k{key}", f"{key}.{n}") for key in range(10)))
        before = {(each.offset, text(each)) for each in world.read(topic)}
        world.engine.compact()
        after = world.read(topic)
        assert {each.key: text(each) for each in after} == {f"k{key}": f"{key}.4" for key in range(10)}
        assert len(after) < len(before)
        assert {(each.offset, text(each)) for each in after} <= before
        assert world.append(topic, ("k0", "later"))[0].offset >= 50

    def test_a_tombstone_erases_its_key(self, world: World) -> None:
        topic = world.topic(cleanup=Cleanup.COMPACT)
        world.append(topic, ("gone", "1"), ("stays", "1"))
        world.log.append([Record(topic, "gone", None)]).result(WITHIN)
        world.engine.compact()
        last = {each.key: each.value for each in world.read(topic)}
        assert last.get("gone") is None
        assert last["stays"] == b"1"

    def test_a_reader_passes_over_what_compaction_removed(self, world: World) -> None:
        topic = world.topic(cleanup=Cleanup.COMPACT)
        world.append(topic, *(("k", str(n)) for n in range(10)))
        reader = world.log.reader({(topic, 0): 2})
        world.engine.compact()
        assert follow(reader, 1)[-1] == "9"
        assert reader.positions()[topic, 0] >= world.log.end_offsets(topic)[0]
        reader.close()

    def test_a_record_is_never_read_twice_by_one_reader(self, world: World) -> None:
        topic = world.topic()
        reader = world.log.reader({(topic, 0): 0})
        for n in range(10):
            world.append(topic, ("k", str(n)))
            assert follow(reader, 1) == [str(n)]
        reader.close()
