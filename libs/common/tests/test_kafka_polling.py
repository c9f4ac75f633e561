"""Sockets are waited for as the library's own selector does, however seldom the kernel is asked."""

import selectors
import socket
from collections.abc import Iterator

import pytest

from common.eventlog.kafka.polling import HASTY, READ, WRITE, StandingSelector

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def selector() -> Iterator[StandingSelector]:
    made = StandingSelector()
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


def ready(selector: StandingSelector) -> list[tuple[object, int]]:
    return [(key.fileobj, events) for key, events in selector.select(0.05)]


def test_who_waits_again_and_again_is_told_each_time(selector: StandingSelector, pair: Pair) -> None:
    ours, theirs = pair
    for _ in range(3):
        selector.register(ours, READ, "mine")
        assert ready(selector) == []
        theirs.send(b"x")
        assert [(key.data, events) for key, events in selector.select(1)] == [("mine", READ)]
        assert ours.recv(10) == b"x"
        selector.unregister(ours)


def test_what_nobody_waits_for_is_told_to_nobody_and_not_lost(selector: StandingSelector, pair: Pair) -> None:
    ours, theirs = pair
    selector.register(ours, READ)
    selector.unregister(ours)
    theirs.send(b"x")
    assert ready(selector) == []
    selector.register(ours, READ)
    assert ready(selector) == [(ours, READ)]


def test_what_can_be_written_to_is_told_at_once_and_what_is_full_when_it_has_room(
    selector: StandingSelector, pair: Pair
) -> None:
    ours, theirs = pair
    selector.register(ours, WRITE)
    assert ready(selector) == [(ours, WRITE)]
    selector.unregister(ours)
    with pytest.raises(BlockingIOError):
        while True:
            ours.send(bytes(65536))
    selector.register(ours, WRITE)
    assert ready(selector) == []
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            theirs.recv(65536)
    assert ready(selector) == [(ours, WRITE)]


def test_reading_goes_on_while_and_after_one_writes(selector: StandingSelector, pair: Pair) -> None:
    ours, theirs = pair
    selector.register(ours, READ)
    selector.modify(ours, READ | WRITE)
    assert ready(selector) == [(ours, WRITE)]
    theirs.send(b"x")
    assert ready(selector) == [(ours, READ)]
    selector.modify(ours, READ)
    assert ready(selector) == [(ours, READ)]


def test_a_socket_that_got_the_number_of_a_closed_one_is_waited_for(selector: StandingSelector) -> None:
    first, other = socket.socketpair()
    number = first.fileno()
    selector.register(first, READ)
    first.close()
    other.close()
    selector.unregister(first)
    second, theirs = socket.socketpair()
    try:
        assert second.fileno() == number
        selector.register(second, READ)
        theirs.send(b"x")
        assert ready(selector) == [(second, READ)]
    finally:
        second.close()
        theirs.close()


def test_who_never_waits_is_told_of_sockets_all_the_same(selector: StandingSelector, pair: Pair) -> None:
    ours, theirs = pair
    selector.register(ours, READ)
    theirs.send(b"x")
    assert [found for _ in range(HASTY + 1) for found in selector.select(0)]


def test_a_closed_socket_cannot_be_waited_for(selector: StandingSelector, pair: Pair) -> None:
    pair[0].close()
    with pytest.raises(ValueError, match="descriptor"):
        selector.register(pair[0], READ)
    with pytest.raises(KeyError):
        selector.get_key(pair[0])


def test_the_other_end_that_hung_up_is_something_to_read(selector: StandingSelector, pair: Pair) -> None:
    selector.register(pair[0], selectors.EVENT_READ)
    pair[1].close()
    assert ready(selector) == [(pair[0], READ)]
