"""One order is one trace: what a span says, when it is kept, and what goes on under it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common import tracecontext
from common.clock import system_clock
from common.codec import Cause
from common.eventlog import Stored
from common.messages import Envelope
from common.telemetry import spanfile, traces
from common.telemetry.messaging_spans import Decided, projecting
from common.telemetry.traces import SpanKind

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ORDER = "ord_" + "0" * 32


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "traces" / "order.jsonl"
    traces.configure("order", path, {})
    yield path
    traces.close()
    tracecontext.enter("")


def kept(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def decided() -> Decided:
    cause = Cause("command", "PlaceOrder", "m1", "alice", system_clock(), "order.commands", 3, 7)
    return Decided(cause, Envelope("m1", "PlaceOrder", 1, 0, "alice", ORDER, traceparent=PARENT))


def test_where_tracing_is_off_everything_goes_on_under_the_callers_trace() -> None:
    span = traces.start("anything", SpanKind.SERVER, PARENT, {}, root=True)
    assert (span.traceparent, span.recorded) == (PARENT, False)


def test_a_span_is_in_the_file_as_soon_as_it_has_ended(file: Path) -> None:
    span = traces.start("process order.commands", SpanKind.CONSUMER, PARENT, {"messaging.system": "kafka"})
    assert not file.exists()
    span.event("OrderPlaced")
    span.end()
    (found,) = kept(file)
    assert (found["trace"], found["parent"]) == (tracecontext.trace_id(PARENT), tracecontext.span_id(PARENT))
    assert (found["span"], found["kind"]) == (tracecontext.span_id(span.traceparent), "consumer")
    assert found["attributes"] == {"messaging.system": "kafka"}
    assert found["events"][0][0] == "OrderPlaced"
    assert found["start"] <= found["events"][0][1] <= found["end"]


def test_nobody_but_the_edge_begins_a_trace(file: Path) -> None:
    assert not traces.start("POST", SpanKind.SERVER, "", {}).recorded
    edge = traces.start("POST", SpanKind.SERVER, "", {}, root=True)
    edge.end()
    assert kept(file)[0]["parent"] == ""
    assert tracecontext.sampled(edge.traceparent)


def test_a_trace_that_the_caller_does_not_keep_is_not_kept_here(file: Path) -> None:
    unsampled = PARENT[:-2] + "00"
    span = traces.start("POST", SpanKind.SERVER, unsampled, {})
    span.end()
    assert (span.recorded, tracecontext.sampled(span.traceparent), file.exists()) == (False, False, False)


def test_the_environment_says_how_many_traces_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.25")
    traces.configure("gateway", tmp_path / "gateway.jsonl", {})
    try:
        begun = [traces.start("POST", SpanKind.SERVER, "", {}, root=True) for _ in range(400)]
        assert 40 < sum(it.recorded for it in begun) < 180  # 100 are expected
        assert all(len(it.traceparent) == 55 for it in begun)
    finally:
        traces.close()


def test_an_error_in_the_block_is_the_spans_error_too(file: Path) -> None:
    with pytest.raises(ValueError, match="broken"), traces.span("get order", SpanKind.CLIENT, {}, PARENT):
        raise ValueError("broken")
    (found,) = kept(file)
    assert (found["error"], found["attributes"]["error.type"]) == ("broken", "ValueError")


def test_what_happens_in_the_block_is_under_the_span_and_afterwards_no_more(file: Path) -> None:
    tracecontext.enter(PARENT, ORDER)
    with traces.span("outer", SpanKind.INTERNAL, {}) as outer:
        assert tracecontext.doing() == (outer.traceparent, ORDER)
        with traces.span("inner", SpanKind.CLIENT, {}):
            pass
    assert tracecontext.doing() == (PARENT, ORDER)
    inner, outside = kept(file)
    assert inner["parent"] == outside["span"]
    assert inner["attributes"][traces.ORDER] == ORDER


def test_a_decision_is_told_when_it_is_committed_and_not_before(file: Path) -> None:
    told = decided()
    told.decided([], "confirmed", "authorizing", "settling")
    assert not file.exists()
    told.committed()
    (found,) = kept(file)
    said = found["attributes"]
    assert (said["orderly.step"], said["orderly.outcome"], said[traces.ORDER]) == ("settling", "confirmed", ORDER)
    assert (said["messaging.destination.name"], said["messaging.kafka.offset"]) == ("order.commands", 7)


def test_an_aborted_attempt_is_a_failed_span_of_its_own(file: Path) -> None:
    first, second = decided(), decided()
    first.aborted(TimeoutError("fenced"))
    second.committed()
    failed, good = kept(file)
    assert "nothing of it happened: fenced" in failed["error"]
    assert (good["error"], good["parent"]) == ("", failed["parent"])
    assert good["span"] != failed["span"]


def stored(traceparent: str) -> Stored:
    return Stored("order.events", 0, 0, ORDER, b"", {"traceparent": traceparent}, 0)


def test_a_batch_of_many_traces_is_linked_to_each_and_one_of_a_single_trace_is_its_child(file: Path) -> None:
    others = [tracecontext.new() for _ in range(300)]
    with projecting("order", [stored(it) for it in others]):
        pass
    with projecting("order", [stored(PARENT), stored(PARENT)]):
        pass
    many, one = kept(file)
    assert {it.partition("-")[0] for it in many["links"]} == {tracecontext.trace_id(it) for it in others}
    assert (many["parent"], one["trace"], one["links"]) == ("", tracecontext.trace_id(PARENT), [])


def test_the_file_does_not_grow_for_ever(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spanfile, "FULL", 5_000)
    for _ in range(100):
        traces.start("POST", SpanKind.SERVER, "", {}, root=True).end()
    before = file.with_suffix(".1.jsonl")
    assert max(file.stat().st_size, before.stat().st_size) < 6_000
    assert sorted(file.parent.iterdir()) == [before, file]


def test_a_disk_that_takes_nothing_costs_spans_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "traces").write_text("a file where the folder should be")
    traces.configure("order", tmp_path / "traces" / "order.jsonl", {})
    try:
        traces.start("POST", SpanKind.SERVER, "", {}, root=True).end()
    finally:
        traces.close()
