"""The processor's promises, on the in-memory log with a toy service that counts."""

import msgspec
import pytest

from common import topology
from common.codec import decode_history, encode
from common.errors import Fenced, LogError
from common.eventlog import Record, partition_of
from common.messages import Envelope
from common.processor import Processor
from common.testing.toy import KEY, SERVICE, Add, Counter, World, run


@pytest.fixture
def world() -> World:
    return World()


def test_every_input_leaves_exactly_one_history_record_even_if_it_changes_nothing(world: World) -> None:
    world.send(1, 0, 2)
    run(world.processor())
    assert world.history() == [(1, ["Added"]), (1, []), (2, ["Added"])]


def test_a_history_record_says_what_caused_it_and_what_was_sent(world: World) -> None:
    world.send(1)
    run(world.processor())
    (record,) = world.records(topology.events(SERVICE))
    frame = decode_history(record.value or b"")
    envelope = Envelope.of(record.headers)
    assert (frame.cause.kind, frame.cause.type, frame.cause.topic, frame.cause.offset) == (
        "command",
        "Add",
        "counter.commands",
        0,
    )
    assert [(sent.type, sent.topic, sent.key) for sent in frame.sent] == [("Add", "elsewhere.commands", "x")]
    assert (envelope.actor, envelope.correlation, envelope.causation, envelope.traceparent) == ("alice", KEY, "id", "t")


def test_poison_is_set_aside_once_with_its_reason_and_the_partition_moves_on(world: World) -> None:
    headers = Envelope("id", "Add", 1, 1, "alice", KEY).headers()
    world.put(b"{", headers)
    world.put(b"{}", {**headers, "type": "Unheard"})
    world.put(b"{}", {"no": "envelope"})
    world.send(13, 1)
    run(world.processor())
    dead = [record.headers["dead_reason"] for record in world.records(topology.dead_letters(SERVICE))]
    assert [reason.split(":")[0] for reason in dead] == [
        "Add v1",
        "message type 'Unheard'",
        "headers are no envelope",
        "decide failed",
    ]
    assert world.history() == [(1, ["Added"])]


def test_a_command_in_the_wrong_partition_is_poison(world: World) -> None:
    wrong = 1 - partition_of(KEY, 2)
    headers = Envelope("id", "Add", 1, 1, "alice", KEY).headers()
    world.log.append([Record(topology.commands(SERVICE), KEY, encode(Add(1)), headers, wrong)]).result()
    world.send(2)
    run(world.processor())
    (dead,) = world.records(topology.dead_letters(SERVICE))
    assert "does not belong into this partition" in dead.headers["dead_reason"]
    assert world.history() == [(1, ["Added"])]


def test_a_successor_goes_on_from_what_was_committed(world: World) -> None:
    first = world.processor()
    world.send(1, 2)
    run(first)
    world.send(3)
    run(world.processor())
    assert world.history() == [(1, ["Added"]), (2, ["Added"]), (3, ["Added"])]


def test_a_checkpoint_and_the_events_after_it_make_the_state(world: World) -> None:
    processor = world.processor()
    world.send(1)
    run(processor)
    processor.checkpoint()
    world.send(2)
    run(processor)
    successor = world.processor()
    world.send(2)  # 1 + 2 + 2 = 5: the effect shows the state
    run(successor)
    assert world.offered == [(KEY, "tell 5", False)]


def test_a_zombie_is_fenced_and_leaves_no_trace(world: World) -> None:
    zombie = world.processor("a")
    run(zombie)
    world.log.expire("g", "a")
    successor = world.processor("b")
    run(successor)
    world.send(4)
    with pytest.raises(Fenced):
        zombie_checkpoint(zombie)
    run(successor)
    assert world.history() == [(1, ["Added"])]


def zombie_checkpoint(zombie: Processor[Counter]) -> None:
    for shard in zombie._shards.values():
        shard.forgotten["x"] = None
    zombie.checkpoint()


def test_a_timer_fires_when_it_is_due_and_not_before(world: World) -> None:
    processor = world.processor()
    world.send(7)
    run(processor)
    world.now += 999
    run(processor)
    assert len(world.history()) == 1
    world.now += 1
    run(processor)
    assert world.history() == [(1, ["Added"]), (2, ["Reminded"])]


def test_a_timer_that_was_moved_does_not_fire(world: World) -> None:
    processor = world.processor()
    world.send(7, 1)
    run(processor)
    world.now += 5000
    run(processor)
    assert world.history() == [(1, ["Added"]), (2, ["Added"])]


def test_a_restored_state_brings_its_timer_and_its_unfinished_effect(world: World) -> None:
    first = world.processor()
    world.send(5)
    run(first)
    first.checkpoint()
    run(world.processor())
    assert world.offered == [(KEY, "tell 5", False), (KEY, "tell 5", True)]


def test_a_finished_aggregate_is_forgotten_and_its_checkpoint_erased(world: World) -> None:
    processor = world.processor()
    world.send(99)
    run(processor)
    processor.checkpoint()
    world.now += 5001
    run(processor)
    processor.checkpoint()
    state = [record for record in world.records(topology.state(SERVICE)) if record.key == KEY]
    assert [record.value is None for record in state] == [False, True]


def test_a_gap_in_the_history_is_not_decided_upon(world: World) -> None:
    processor = world.processor()
    world.send(1)
    run(processor)
    (record,) = world.records(topology.events(SERVICE))
    frame = msgspec.structs.replace(decode_history(record.value or b""), version=3)
    world.log.append([Record(record.topic, KEY, encode(frame), record.headers)]).result()
    with pytest.raises(LogError, match="the history has a gap"):
        run(world.processor())
