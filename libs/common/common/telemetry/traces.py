"""Spans: what was done, from when to when, and because of what. OpenTelemetry's model, recorded here in a few µs each.

    ORDERLY_TRACES=FILE                     every span to a file of this process: see spanfile.py
    OTEL_EXPORTER_OTLP_ENDPOINT=URL         also, or only, to a collector: see spanexport.py
    OTEL_TRACES_SAMPLER, …_SAMPLER_ARG      which traces: parentbased_traceidratio and 0.1, for example; all, unless said

A span has a traceparent, which goes with everything that it makes happen: in a header, in a record, in a stored state. Where
tracing is off, or nobody began a trace, it is that of whoever asked, unchanged.
"""

import random
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from common import tracecontext
from common.telemetry.masking import masked
from common.telemetry.sampling import Sampling

ORDER = "orderly.order.id"  # on every span that is about one

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attributes = Mapping[str, str | int | bool]

_random = random.Random()
_outputs: "list[Output]" = []
_sampling = Sampling()
_service = ""


class Span(msgspec.Struct):
    """A span under way; of one thread at a time. Times in nanoseconds since 1970, `parent` and `links` are traceparents."""

    traceparent: str
    service: str = ""
    name: str = ""
    kind: Kind = "internal"
    parent: str = ""
    start: int = 0
    end: int = 0
    error: str = ""
    attributes: dict[str, Any] = {}
    events: list[tuple[str, int, dict[str, str]]] = []
    links: list[str] = []

    @property
    def recorded(self) -> bool:
        """Whether anybody will see it: what is costly to say need not be said else."""
        return self.start > 0

    def set(self, attributes: Attributes) -> None:
        self.attributes.update(attributes)

    def event(self, name: str, attributes: Mapping[str, str] | None = None) -> None:
        self.events.append((name, time.time_ns(), dict(attributes or {})))

    def fail(self, kind: str, detail: str = "") -> None:
        """It went wrong: `kind` is a class of errors, or a status."""
        self.attributes["error.type"] = kind
        self.error = masked(detail) or kind

    def finish(self) -> None:
        if self.start:
            self.end = time.time_ns()
            for output in _outputs:
                output.take(self)


class Output:
    """Where spans go. Of any thread, and never blocking for long."""

    def take(self, span: Span) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Within a few seconds."""


def configure(service: str, file: Path | None, environ: Mapping[str, str]) -> None:
    """Turn tracing on for this process, if there is anywhere to put spans. Once, at start."""
    global _service, _sampling
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    _service, _sampling = service, Sampling.of(environ)
    if file is not None:
        from common.telemetry.spanfile import SpanFile

        _outputs.append(SpanFile(file))
    named = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    if environ.get("OTEL_TRACES_EXPORTER", "otlp") == "otlp" and any(environ.get(it) for it in named):
        from common.telemetry.spanexport import SpanExport  # here, because it brings a client and protobuf along

        _outputs.append(SpanExport(service))


def close() -> None:
    """Nothing is recorded from now on."""
    closing = [*_outputs]
    _outputs.clear()
    for output in closing:
        output.close()


def start(
    name: str, kind: Kind, parent: str, attributes: Attributes, links: Iterable[str] = (), *, root: bool = False
) -> Span:
    """A span from now on, to be finished by whoever asked. Without a parent there is none, unless it is to be the `root` of a
    trace. `parent` and `links` are traceparents."""
    if not _outputs or not (parent or root):
        return Span(parent)
    trace = tracecontext.trace_id(parent) or f"{_random.getrandbits(128) or 1:032x}"
    if not _sampling.keeps(trace, parent):
        return Span(parent or f"00-{trace}-{_span_id()}-00")
    now = time.time_ns()
    return Span(f"00-{trace}-{_span_id()}-01", _service, name, kind, parent, now, 0, "", {**attributes}, [], [*links])


def span(name: str, kind: Kind, attributes: Attributes, parent: str | None = None) -> "_Block":
    """A span around a block, which works under it. `parent` None: what this task does now."""
    return _Block(name, kind, attributes, parent)


class _Block:
    """A generator would take as long as the span does."""

    __slots__ = ("_before", "_made")

    def __init__(self, name: str, kind: Kind, attributes: Attributes, parent: str | None) -> None:
        self._before = before = tracecontext.doing()
        self._made = start(name, kind, before.traceparent if parent is None else parent, attributes)

    def __enter__(self) -> Span:
        made, before = self._made, self._before
        if before.order and made.recorded:
            made.attributes[ORDER] = before.order
        tracecontext.resume(tracecontext.Doing(made.traceparent, before.order))
        return made

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is not None:
            self._made.fail(type(error).__name__, str(error))
        self._made.finish()
        tracecontext.resume(self._before)


def _span_id() -> str:
    return f"{_random.getrandbits(64) or 1:016x}"
