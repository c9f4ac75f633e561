"""Whether a trace tells all that happened to an order: held against the order's timeline, which is told from the log."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from deploy.observability.jaeger_server import Jaeger, Span

Json = Mapping[str, Any]


def tags(span: Span) -> dict[str, Any]:
    return {it["key"]: it["value"] for it in span["tags"]}


def parents(span: Span) -> list[tuple[str, str]]:
    """Trace and span of everything that it is because of: of its parent, or of those that it is linked to."""
    return [(it["traceID"], it["spanID"]) for it in span["references"]]


def missing(trace_id: str, spans: Sequence[Span], timeline: Iterable[Json], batches: Iterable[Span]) -> list[str]:
    """What is missing, in words; empty when the trace is whole.

    - Every span but the first is there because of another one that is there too, and the first is the gateway's.
    - Every command and reply of the timeline has its span, and each of these was projected by the order service.
    """
    known = {span["spanID"] for span in spans}
    wrong = [
        f"{span['service']} {span['operationName']}: its parent is not there"
        for span in spans
        if any(trace == trace_id and it not in known for trace, it in parents(span))
    ]
    roots = [span for span in spans if not any(trace == trace_id for trace, _ in parents(span))]
    if [span["service"] for span in roots] != ["gateway"]:
        wrong.append(f"it begins with {[span['operationName'] for span in roots]}")
    handled = {_place(span): span["spanID"] for span in spans if "orderly.message.type" in tags(span)}
    projected = {
        it for span in (*spans, *batches) if span["operationName"] == "project order" for _, it in parents(span)
    }
    for entry in timeline:
        if entry["kind"] == "event" or entry["topic"] is None or entry["topic"].endswith(".events"):
            continue
        place = (entry["topic"], str(entry["partition"]), entry["offset"])
        if place not in handled:
            wrong.append(f"{entry['type']} at {place}: no span")
        elif handled[place] not in projected:
            wrong.append(f"{entry['type']} at {place}: no projection")
    return wrong


def _place(span: Span) -> tuple[str, str, int]:
    said = tags(span)
    place = said.get("messaging.destination.name", ""), said.get("messaging.destination.partition.id", "")
    return *place, said.get("messaging.kafka.offset", -1)


def batches(jaeger: Jaeger) -> list[Span]:
    """What was projected for several traces at once."""
    found = jaeger.find("order", {"messaging.operation.name": "project"}, limit=1500).values()
    return [span for trace in found for span in trace if span["operationName"] == "project order"]
