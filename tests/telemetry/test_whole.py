"""The judge of traces, judged: each kind of gap is found when it is planted."""

from typing import Any

from tests.telemetry.whole import missing

TRACE = "1" * 32


def span(name: str, service: str, because_of: tuple[str, ...] = (), **tags: Any) -> dict[str, Any]:
    references = [{"traceID": TRACE, "spanID": it} for it in because_of]
    said = [{"key": key.replace("_", "."), "value": value} for key, value in tags.items()]
    return {"spanID": name, "operationName": name, "service": service, "references": references, "tags": said}


def handled(name: str, because_of: str, offset: int) -> dict[str, Any]:
    found = span(name, "order", (because_of,), orderly_message_type="PlaceOrder", messaging_kafka_offset=offset)
    place = {"messaging.destination.name": "order.commands", "messaging.destination.partition.id": "3"}
    return {**found, "tags": found["tags"] + [{"key": key, "value": value} for key, value in place.items()]}


def entry(offset: int) -> dict[str, Any]:
    return {"kind": "command", "type": "PlaceOrder", "topic": "order.commands", "partition": 3, "offset": offset}


FIRST = span("POST /v1/orders", "gateway")
SPANS = [FIRST, handled("decided", "POST /v1/orders", 7), span("project order", "order", ("decided",))]


def test_nothing_is_missing_where_nothing_is() -> None:
    assert missing(TRACE, SPANS, [entry(7)], []) == []


def test_a_batch_of_several_traces_counts_as_projection() -> None:
    assert missing(TRACE, SPANS[:2], [entry(7)], [SPANS[2]]) == []


def test_a_lost_parent_is_found() -> None:
    assert any(
        "parent is not there" in it for it in missing(TRACE, [*SPANS, span("effect", "payment", ("lost",))], [], [])
    )


def test_a_lost_beginning_is_found() -> None:
    assert any("it begins with" in it for it in missing(TRACE, SPANS[1:], [], []))


def test_a_message_without_a_span_is_found() -> None:
    assert any("no span" in it for it in missing(TRACE, SPANS, [entry(7), entry(8)], []))


def test_a_message_that_was_not_projected_is_found() -> None:
    assert any("no projection" in it for it in missing(TRACE, SPANS[:2], [entry(7)], []))
