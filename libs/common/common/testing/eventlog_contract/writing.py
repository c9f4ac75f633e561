"""Laws of topics and appends."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future

import pytest

from common.errors import LogError, UnknownTopic
from common.eventlog import Cleanup, Position, Record, Topic, partition_of
from common.testing.eventlog_contract.engine import WITHIN, Laws, World, record, text


class WritingLaws(Laws):
    def test_a_record_is_read_where_append_said_it_went(self, world: World) -> None:
        topic = world.topic(partitions=4)
        sent = [Record(topic, f"kéy {n}", bytes([n]), {"n": str(n), "ü": "ñ"}) for n in range(20)]
        positions = world.log.append(sent).result(WITHIN)
        found = {(each.topic, each.partition, each.offset): each for each in world.read(topic)}
        for one, position in zip(sent, positions, strict=True):
            stored = found[position]
            assert (stored.key, stored.value, stored.headers) == (one.key, one.value, one.headers)
            assert stored.at > 0

    def test_a_key_goes_to_the_partition_that_every_process_computes(self, world: World) -> None:
        topic = world.topic(partitions=12)
        for position, n in zip(world.append(topic, *((f"k{n}", "") for n in range(50))), range(50), strict=True):
            assert position.partition == partition_of(f"k{n}", 12)

    def test_a_partition_that_is_asked_for_is_used(self, world: World) -> None:
        topic = world.topic(partitions=3)
        positions = world.log.append([Record(topic, "same", b"", partition=n) for n in (2, 0, 1)]).result(WITHIN)
        assert [position.partition for position in positions] == [2, 0, 1]

    def test_an_empty_value_is_not_a_missing_one(self, world: World) -> None:
        topic = world.topic()
        world.log.append([Record(topic, "k", b""), Record(topic, "k", None)]).result(WITHIN)
        assert [each.value for each in world.read(topic)] == [b"", None]

    def test_appends_from_many_threads_lose_nothing_and_keep_the_order_of_each(self, world: World) -> None:
        topic = world.topic(partitions=3)
        acknowledged: dict[str, list[Position]] = {}

        def write(key: str) -> None:
            futures: list[Future[Sequence[Position]]] = [
                world.log.append([record(topic, key, f"{key}/{n}")]) for n in range(100)
            ]
            acknowledged[key] = [future.result(WITHIN)[0] for future in futures]

        threads = [threading.Thread(target=write, args=(f"thread-{n}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        read = world.read(topic)
        assert len(read) == 800
        for key, positions in acknowledged.items():
            mine = [each for each in read if each.key == key]
            assert [text(each) for each in mine] == [f"{key}/{n}" for n in range(100)]
            assert [each.offset for each in mine] == [position.offset for position in positions]

    def test_an_acknowledged_record_is_seen_by_other_connections(self, world: World) -> None:
        topic = world.topic()
        world.append(topic, ("k", "v"))
        other = world.engine.open()
        assert [text(each) for each in world.read(topic, other)] == ["v"]

    def test_nothing_is_appended_to_a_topic_that_was_never_created(self, world: World) -> None:
        with pytest.raises(UnknownTopic, match="nowhere"):
            world.log.append([Record("nowhere", "k", b"v")]).result(WITHIN)

    def test_an_append_that_is_refused_does_not_disturb_the_others(self, world: World) -> None:
        topic = world.topic()
        futures = [world.log.append([record(name, "k", "v")]) for name in (topic, "nowhere", topic)]
        assert [future.exception(WITHIN) is None for future in futures] == [True, False, True]
        assert world.values(topic) == ["v", "v"]

    def test_a_partition_that_does_not_exist_is_refused(self, world: World) -> None:
        topic = world.topic(partitions=2)
        for partition in (2, -1):
            with pytest.raises(LogError, match="partition"):
                world.log.append([Record(topic, "k", b"v", partition=partition)]).result(WITHIN)

    def test_creating_a_topic_again_changes_nothing(self, world: World) -> None:
        topic = Topic(world.topic(), 3, Cleanup.COMPACT)
        fresh = Topic(f"{topic.name}-2", 3, Cleanup.COMPACT)
        world.log.create([fresh])
        world.append(fresh.name, ("k", "v"))
        world.log.create([fresh])
        assert world.values(fresh.name) == ["v"]
        assert world.log.topics()[fresh.name] == fresh
        assert world.log.copies_missing() == 0

    def test_a_topic_cannot_be_created_with_other_settings(self, world: World) -> None:
        name = f"{world.topic()}-2"
        world.log.create([Topic(name, 2, retention=60_000)])
        for other in (Topic(name, 3, retention=60_000), Topic(name, 2), Topic(name, 2, Cleanup.COMPACT)):
            with pytest.raises(LogError, match=name):
                world.log.create([other])
        assert world.log.topics()[name] == Topic(name, 2, retention=60_000)

    def test_a_topic_that_another_connection_created_is_found(self, world: World) -> None:
        other = world.engine.open()
        topic = world.topic()
        other.append([record(topic, "k", "v")]).result(WITHIN)
        assert world.values(topic) == ["v"]
