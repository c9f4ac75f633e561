"""What the codec reads, lifts, ignores and refuses."""

from typing import Any

import msgspec
import pytest

from common.codec import Cause, Codec, EventFrame, HistoryFrame, Sent, decode_history, encode, members
from common.contracts import inventory, order, payment
from common.errors import Undecodable, UnknownType
from common.messages import message


@message
class Parcel:
    sku: str
    grams: int


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(encode(value))


def in_grams(fields: dict[str, Any]) -> dict[str, Any]:
    return {"sku": fields["sku"], "grams": fields["kilos"] * 1000}


def with_sku(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "sku": "unknown"}


CODEC = Codec([Parcel], {"Parcel": 3}, {("Parcel", 1): with_sku, ("Parcel", 2): in_grams})


def test_what_is_written_is_read_back() -> None:
    assert CODEC.decode("Parcel", 3, encode(Parcel("tea", 250))) == Parcel("tea", 250)


def test_fields_that_nobody_knows_are_ignored() -> None:
    newer = b'{"sku":"tea","grams":250,"colour":{"deep":["green"]}}'
    assert CODEC.decode("Parcel", 3, newer) == Parcel("tea", 250)


def test_an_old_version_is_lifted_step_by_step() -> None:
    assert CODEC.decode("Parcel", 2, b'{"sku":"tea","kilos":2}') == Parcel("tea", 2000)
    assert CODEC.decode("Parcel", 1, b'{"kilos":2}') == Parcel("unknown", 2000)


@pytest.mark.parametrize("schema", [0, 4])
def test_a_version_that_nobody_knows_is_refused_by_name(schema: int) -> None:
    with pytest.raises(UnknownType, match=f"Parcel v{schema}"):
        CODEC.decode("Parcel", schema, b'{"sku":"tea","grams":250}')


def test_a_type_that_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(UnknownType, match="'Crate'"):
        CODEC.decode("Crate", 1, b"{}")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{",
        b'{"sku":"tea"}',
        b'{"sku":"tea","grams":"250"}',
        b'{"sku":"tea","grams":1.5}',
        b'{"sku":1,"grams":1}',
        b'{"sku":"\xed\xa0\x80","grams":1}',
        b'{"sku":"tea","grams":1}}',
        b'{"a":' * 100_000,
    ],
)
@pytest.mark.parametrize("schema", [2, 3], ids=["old", "current"])
def test_wrong_bytes_are_undecodable_whatever_they_are(schema: int, payload: bytes) -> None:
    with pytest.raises(Undecodable):
        CODEC.decode("Parcel", schema, payload)


def test_a_history_record_is_read_back() -> None:
    cause = Cause("command", "Pack", "m-1", "user:alice", 1_000, "parcel.commands", 3, 17)
    frame = HistoryFrame(cause, 2, [EventFrame("Parcel", 3, raw(Parcel("tea", 1)))], [Sent("Ship", "x.commands", "k")])
    read = decode_history(encode(frame))
    assert (read.cause, read.version, read.sent) == (cause, 2, frame.sent)
    assert CODEC.decode(read.events[0].type, read.events[0].v, read.events[0].data) == Parcel("tea", 1)


@pytest.mark.parametrize("payload", [b"", b"{}", b'{"cause":{}}', b"[" * 100_000])
def test_wrong_bytes_are_no_history(payload: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_history(payload)


@pytest.mark.parametrize(
    "union", [order.Command, order.Event, inventory.Command, inventory.Event, payment.Command, payment.Event]
)
def test_every_message_of_a_union_has_its_own_name_and_can_be_decoded(union: object) -> None:
    kinds = members(union)
    assert len({kind.__name__ for kind in kinds}) == len(kinds)
    Codec(kinds)
