"""One order is one trace: what a span says, when it is kept, and what goes on under it."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource

from common import tracecontext
from common.clock import system_clock
from common.codec import Cause
from common.errors import SettingsError
from common.eventlog import Stored
from common.messages import Envelope
from common.readmodel.memory import MemoryReadModel
from common.telemetry import keeping, spanfile, traces
from common.telemetry.messaging_spans import Decided, projecting
from common.telemetry.spanexport import readable
from common.telemetry.view_spans import TracedView

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
    keeping.keep()
    return [json.loads(line) for line in file.read_text().splitlines()]


def decided() -> Decided:
    cause = Cause("command", "PlaceOrder", "m1", "alice", system_clock(), "order.commands", 3, 7)
    return Decided(cause, Envelope("m1", "PlaceOrder", 1, 0, "alice", ORDER, traceparent=PARENT))


def test_where_tracing_is_off_everything_goes_on_under_the_callers_trace() -> None:
    span = traces.start("anything", "server", PARENT, {}, root=True)
    assert (span.traceparent, span.recorded) == (PARENT, False)


def test_a_span_is_in_the_file_when_it_has_ended_and_what_it_is_of_is_over(file: Path) -> None:
    with keeping.together():
        span = traces.start("process order.commands", "consumer", PARENT, {"messaging.system": "kafka"})
        span.event("OrderPlaced")
        span.finish()
        assert not file.exists()
    (found,) = kept(file)
    assert (found["traceparent"], found["parent"], found["kind"]) == (span.traceparent, PARENT, "consumer")
    assert tracecontext.trace_id(span.traceparent) == tracecontext.trace_id(PARENT)
    assert found["attributes"] == {"messaging.system": "kafka"}
    assert found["events"][0][0] == "OrderPlaced"
    assert found["start"] <= found["events"][0][1] <= found["end"]


def test_nobody_but_the_edge_begins_a_trace(file: Path) -> None:
    assert not traces.start("POST", "server", "", {}).recorded
    edge = traces.start("POST", "server", "", {}, root=True)
    edge.finish()
    assert kept(file)[0]["parent"] == ""
    assert tracecontext.sampled(edge.traceparent)


def test_a_trace_that_the_caller_does_not_keep_is_not_kept_here(file: Path) -> None:
    unsampled = PARENT[:-2] + "00"
    span = traces.start("POST", "server", unsampled, {})
    span.finish()
    assert (span.recorded, tracecontext.sampled(span.traceparent), file.exists()) == (False, False, False)


@pytest.mark.parametrize(
    ("environ", "roots", "children"),
    [
        ({}, 400, 400),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, 0, 0),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, 0, 400),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"}, 100, 400),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"}, 100, 100),
        ({"OTEL_SDK_DISABLED": "true"}, 0, 0),
    ],
)
def test_the_environment_says_which_traces_are_recorded(
    tmp_path: Path, environ: dict[str, str], roots: int, children: int
) -> None:
    traces.configure("gateway", tmp_path / "gateway.jsonl", environ)
    try:
        begun = [traces.start("POST", "server", "", {}, root=True) for _ in range(400)]
        joined = [traces.start("POST", "server", tracecontext.new(), {}) for _ in range(400)]
    finally:
        traces.close()
    for expected, found in ((roots, begun), (children, joined)):
        count = sum(it.recorded for it in found)
        assert count == expected if expected in (0, 400) else 40 < count < 180


@pytest.mark.parametrize(
    "environ",
    [
        {"OTEL_TRACES_SAMPLER": "sometimes"},
        {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "10"},
    ],
)
def test_a_sampler_that_there_is_not_is_told_at_the_start(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="OTEL_TRACES_SAMPLER"):
        traces.configure("gateway", tmp_path / "gateway.jsonl", environ)


def test_a_collector_that_is_away_blocks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:  # bound, so that nobody else is there, and not listening
        nobody.bind(("127.0.0.1", 0))
        away = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{nobody.getsockname()[1]}"}
        monkeypatch.setenv(*next(iter(away.items())))
        traces.configure("order", None, away)
        for _ in range(5_000):  # more than the queue holds
            traces.start("POST", "server", "", {}, root=True).finish()
        leaving = threading.Thread(target=traces.close)
        leaving.start()
        leaving.join(30)
        assert not leaving.is_alive()


def test_what_is_sent_is_what_was_recorded(file: Path) -> None:
    span = traces.start("process order.commands", "consumer", PARENT, {"messaging.kafka.offset": 7}, [PARENT])
    span.event("OrderPlaced", {"reason": "why not"})
    span.fail("Fenced", "nothing of it happened")
    span.finish()
    sent = json.loads(readable(span, Resource.create({"service.name": "order"})).to_json())
    assert (sent["name"], sent["kind"]) == ("process order.commands", "SpanKind.CONSUMER")
    assert sent["context"]["trace_id"] == "0x" + tracecontext.trace_id(PARENT)
    assert sent["context"]["span_id"] == "0x" + tracecontext.span_id(span.traceparent)
    assert sent["parent_id"] == "0x" + tracecontext.span_id(PARENT)
    assert sent["status"] == {"status_code": "ERROR", "description": "nothing of it happened"}
    assert sent["attributes"] == {"messaging.kafka.offset": 7, "error.type": "Fenced"}
    assert [it["name"] for it in sent["events"]] == ["OrderPlaced"]
    assert len(sent["links"]) == 1


def test_an_error_in_the_block_is_the_spans_error_too(file: Path) -> None:
    with pytest.raises(ValueError, match="broken"), traces.span("get order", "client", {}, PARENT):
        raise ValueError("broken")
    (found,) = kept(file)
    assert (found["error"], found["attributes"]["error.type"]) == ("broken", "ValueError")


async def test_who_waits_for_a_change_and_looks_again_asks_one_question(file: Path) -> None:
    tracecontext.enter(PARENT, ORDER)
    view = TracedView(MemoryReadModel().view(), "order")
    await view.get(ORDER)
    for _ in range(3):
        await view.changed(ORDER, 0.01)
        await view.get(ORDER)
    assert [it["name"] for it in kept(file)] == ["get order"]
    await view.get(ORDER)
    assert len(kept(file)) == 2


def test_what_happens_in_the_block_is_under_the_span_and_afterwards_no_more(file: Path) -> None:
    tracecontext.enter(PARENT, ORDER)
    with traces.span("outer", "internal", {}) as outer:
        assert tracecontext.doing() == (outer.traceparent, ORDER)
        with traces.span("inner", "client", {}):
            pass
    assert tracecontext.doing() == (PARENT, ORDER)
    inner, outside = kept(file)
    assert inner["parent"] == outside["traceparent"]
    assert inner["attributes"][traces.ORDER] == ORDER


def test_a_decision_is_told_when_it_is_committed_and_not_before(file: Path) -> None:
    told = decided()
    told.decided([], "confirmed", "authorizing", "settling")
    keeping.keep()
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
    assert good["traceparent"] != failed["traceparent"]


def stored(traceparent: str) -> Stored:
    return Stored("order.events", 0, 0, ORDER, b"", {"traceparent": traceparent}, 0)


def test_a_batch_of_many_traces_is_linked_to_each_and_one_of_a_single_trace_is_its_child(file: Path) -> None:
    others = [tracecontext.new() for _ in range(300)]
    with projecting("order", [stored(it) for it in others]):
        pass
    with projecting("order", [stored(PARENT), stored(PARENT)]):
        pass
    many, one = kept(file)
    assert many["links"] == others
    assert (many["parent"], one["parent"], one["links"]) == ("", PARENT, [])


def test_the_file_does_not_grow_for_ever(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spanfile, "FULL", 5_000)
    for _ in range(100):
        traces.start("POST", "server", "", {}, root=True).finish()
        keeping.keep()
    before = file.with_suffix(".1.jsonl")
    assert max(file.stat().st_size, before.stat().st_size) < 6_000
    assert sorted(file.parent.iterdir()) == [before, file]


def test_a_disk_that_takes_nothing_costs_spans_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "traces").write_text("a file where the folder should be")
    traces.configure("order", tmp_path / "traces" / "order.jsonl", {})
    try:
        traces.start("POST", "server", "", {}, root=True).finish()
    finally:
        traces.close()
