"""Spans: what was done, from when to when, and because of what. OpenTelemetry's, where tracing is on, else nothing at all.

    ORDERLY_TRACES=FILE                     every span to a file of this process: see spanfile.py
    OTEL_EXPORTER_OTLP_ENDPOINT=URL         also, or only, to a collector, by OTLP over HTTP
    OTEL_TRACES_SAMPLER, …_SAMPLER_ARG      which traces: parentbased_traceidratio and 0.1, for example; all, unless said

The last ones, and others beside them, are OpenTelemetry's own, and its SDK reads them. A collector that is away or slow costs
spans, never an order: they wait in a queue of bounded length with a thread of its own, and what does not fit is dropped.

A span has a traceparent, which goes with everything that it makes happen: in a header, in a record, in a stored state. Where
tracing is off, or nobody began a trace, it is that of whoever asked, unchanged.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags

from common import tracecontext
from common.telemetry.masking import masked

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

__all__ = ["Span", "SpanKind", "close", "configure", "span", "start"]

ORDER = "orderly.order.id"  # on every span that is about one

MOST_LINKS = 1000  # of one span: a projector's names every trace that is in its batch
EXPORT_EVERY = 1000  # milliseconds; what a killed process had not yet sent is missing at the collector
FLUSH_WITHIN = 2.0  # seconds, at the end of a process

Attributes = Mapping[str, str | int | bool | Sequence[str]]

_provider: "TracerProvider | None" = None
_tracer: trace.Tracer | None = None


def configure(service: str, file: Path | None, environ: Mapping[str, str]) -> None:
    """Turn tracing on for this process, if there is anywhere to put spans. Once, at start."""
    global _provider, _tracer
    named = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    collector = environ.get("OTEL_TRACES_EXPORTER", "otlp") == "otlp" and any(environ.get(it) for it in named)
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or not (file or collector):
        return
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanLimits, TracerProvider

    resource = Resource.create({"service.name": service, "service.namespace": "orderly"})
    _provider = TracerProvider(resource=resource, span_limits=SpanLimits(max_links=MOST_LINKS), shutdown_on_exit=False)
    if file is not None:
        from common.telemetry.spanfile import SpanFile

        _provider.add_span_processor(SpanFile(file, service))
    if collector:  # here, because it brings an HTTP client and protobuf along
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        every = float(environ.get("OTEL_BSP_SCHEDULE_DELAY") or EXPORT_EVERY)
        _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=every))
    _tracer = _provider.get_tracer("orderly")


def close() -> None:
    """Send what is still here. A collector that does not take it in time does not keep the process from ending."""
    global _provider, _tracer
    if _provider is not None:
        leaving = threading.Thread(target=_provider.shutdown, daemon=True)
        leaving.start()
        leaving.join(FLUSH_WITHIN)
    _provider = _tracer = None


class Span:
    """A span under way, or nothing but the `traceparent` to go on with. Of one thread at a time."""

    __slots__ = ("_recorded", "traceparent")

    def __init__(self, traceparent: str, recorded: trace.Span | None = None) -> None:
        self.traceparent = traceparent
        self._recorded = recorded

    @property
    def recorded(self) -> bool:
        """Whether anybody will see it: what is costly to say need not be said else."""
        return self._recorded is not None

    def set(self, attributes: Attributes) -> None:
        if self._recorded is not None:
            self._recorded.set_attributes(attributes)

    def name(self, name: str) -> None:
        if self._recorded is not None:
            self._recorded.update_name(name)

    def event(self, name: str, attributes: Attributes | None = None) -> None:
        if self._recorded is not None:
            self._recorded.add_event(name, attributes)

    def fail(self, kind: str, detail: str = "") -> None:
        """It went wrong: `kind` is a class of errors, or a status."""
        if self._recorded is not None:
            self._recorded.set_attribute("error.type", kind)
            self._recorded.set_status(StatusCode.ERROR, masked(detail) or None)

    def end(self) -> None:
        if self._recorded is not None:
            self._recorded.end()


def start(
    name: str,
    kind: SpanKind,
    parent: str,
    attributes: Attributes,
    links: Iterable[str] = (),
    *,
    root: bool = False,
) -> Span:
    """A span from now on, to be ended by whoever asked. Without a parent there is none, unless it is to be the `root` of a
    trace. `parent` and `links` are traceparents."""
    if _tracer is None or not (parent or root):
        return Span(parent)
    context = _context(parent)
    above = Context() if context is None else trace.set_span_in_context(NonRecordingSpan(context), Context())
    linked = [Link(found) for it in links if (found := _context(it)) is not None]
    begun = _tracer.start_span(name, above, kind, attributes, linked)
    made = begun.get_span_context()
    header = f"00-{made.trace_id:032x}-{made.span_id:016x}-{made.trace_flags:02x}"
    return Span(header, begun if begun.is_recording() else None)


@contextmanager
def span(name: str, kind: SpanKind, attributes: Attributes, parent: str | None = None) -> Iterator[Span]:
    """A span around a block, which works under it. `parent` None: what this task does now."""
    before = tracecontext.doing()
    made = start(name, kind, before.traceparent if parent is None else parent, attributes)
    if made.recorded and before.order:
        made.set({ORDER: before.order})
    tracecontext.enter(made.traceparent, before.order)
    try:
        yield made
    except BaseException as error:
        made.fail(type(error).__name__, str(error))
        raise
    finally:
        made.end()
        tracecontext.enter(*before)


def _context(traceparent: str) -> SpanContext | None:
    try:
        flags = TraceFlags(int(traceparent[53:], 16))
        return SpanContext(int(traceparent[3:35], 16), int(traceparent[36:52], 16), True, flags)
    except ValueError:
        return None
