"""The last spans that the services of a platform kept, found by order or by trace, and put into the tree that they are."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from common.telemetry.traces import ORDER
from common.tracecontext import span_id, trace_id
from orderly.folder import Folder

TRACE_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(slots=True)
class Span:
    """As common.telemetry.traces has it, with the ids apart; `links` are traces. `below`: what it caused, by time."""

    trace: str
    span: str
    parent: str
    service: str
    name: str
    kind: str
    start: int
    end: int
    error: str
    attributes: dict[str, Any]
    events: list[tuple[str, int, dict[str, Any]]]
    links: set[str]
    below: "list[Span]" = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Trace:
    """`roots` are spans whose parent is not here: the first request, else something is missing. `linked`: batches of other
    traces in which some of it was worked on."""

    id: str
    spans: Sequence[Span]
    roots: Sequence[Span]
    linked: Sequence[Span]

    @property
    def whole(self) -> bool:
        """Nothing is missing between the first request and everything that it caused."""
        return len(self.roots) == 1 and not self.roots[0].parent


def find(folder: Folder, wanted: str, *, reads: bool = False) -> list[Trace]:
    """The traces of an order, or the one of this id, oldest first. `reads`: also requests that only asked about the order."""
    ids = {wanted} if TRACE_ID.fullmatch(wanted) else _about(folder, wanted)
    by_trace: dict[str, list[Span]] = {it: [] for it in ids}
    linked: dict[str, list[Span]] = {it: [] for it in ids}
    for found in _spans(folder, ids):
        if found.trace in by_trace:
            by_trace[found.trace].append(found)
        for trace in (found.links & ids) - {found.trace}:
            linked[trace].append(found)
    traces = [_tree(it, spans, linked[it]) for it, spans in by_trace.items() if spans]
    changing = [it for it in traces if reads or any(span.kind == "producer" for span in it.spans)]
    return sorted(changing or traces, key=lambda it: it.roots[0].start)


def _about(folder: Folder, order_id: str) -> set[str]:
    return {it.trace for it in _spans(folder, {order_id}) if it.attributes.get(ORDER) == order_id}


def _spans(folder: Folder, words: Set[str]) -> Iterator[Span]:
    """Those whose line has one of the words in it. A line that is being written is not whole yet, and left out."""
    looked_for = re.compile(b"|".join(re.escape(it.encode()) for it in words) or b"$^")
    for file in sorted(folder.traces.glob("*.jsonl")):
        for line in file.read_bytes().split(b"\n"):
            if looked_for.search(line) and (found := _parse(line)) is not None:
                yield found


def _parse(line: bytes) -> Span | None:
    try:
        said = json.loads(line)
        own, parent, links = said.pop("traceparent"), said.pop("parent"), said.pop("links")
        return Span(trace_id(own), span_id(own), span_id(parent), links={trace_id(it) for it in links}, **said)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _tree(id: str, spans: list[Span], linked: Sequence[Span]) -> Trace:
    spans.sort(key=lambda it: it.start)
    known = {it.span for it in spans}
    children: dict[str, list[Span]] = defaultdict(list)
    for it in spans:
        children[it.parent].append(it)
    for it in spans:
        it.below = children[it.span]
    return Trace(id, spans, [it for it in spans if it.parent not in known], sorted(linked, key=lambda it: it.start))
