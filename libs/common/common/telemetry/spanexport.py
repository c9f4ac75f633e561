"""Sends spans to a collector: OTLP over HTTP, by OpenTelemetry's SDK, which reads its own variables (OTEL_EXPORTER_OTLP_…,
OTEL_BSP_…, OTEL_RESOURCE_ATTRIBUTES).

A collector that is away or slow costs spans, never an order: they wait in a queue of bounded length with a thread of its own,
and what does not fit is dropped. What a killed process had not yet sent is missing at the collector.
"""

import os
import threading

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from common import tracecontext
from common.telemetry.traces import Output, Span

EXPORT_EVERY = 1000  # milliseconds
FLUSH_WITHIN = 2.0  # seconds, at the end of a process

_KINDS = {kind.name.lower(): kind for kind in SpanKind}
_SCOPE = InstrumentationScope("orderly")


class SpanExport(Output):
    def __init__(self, service: str) -> None:
        self._resource = Resource.create({"service.name": service, "service.namespace": "orderly"})
        every = float(os.environ.get("OTEL_BSP_SCHEDULE_DELAY") or EXPORT_EVERY)
        self._queue = BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=every)

    def take(self, span: Span) -> None:
        self._queue.on_end(readable(span, self._resource))

    def close(self) -> None:
        """A collector that does not take the rest in time does not keep the process from ending."""
        leaving = threading.Thread(target=self._queue.shutdown, daemon=True)
        leaving.start()
        leaving.join(FLUSH_WITHIN)


def readable(span: Span, resource: Resource) -> ReadableSpan:
    """The same, as the SDK has it."""
    return ReadableSpan(
        name=span.name,
        context=_context(span.traceparent, remote=False),
        parent=_context(span.parent) if span.parent else None,
        resource=resource,
        attributes=span.attributes,
        events=[Event(name, attributes, at) for name, at, attributes in span.events],
        links=[Link(_context(it)) for it in span.links],
        kind=_KINDS[span.kind],
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
        start_time=span.start,
        end_time=span.end,
        instrumentation_scope=_SCOPE,
    )


def _context(traceparent: str, *, remote: bool = True) -> SpanContext:
    trace, span = tracecontext.trace_id(traceparent), tracecontext.span_id(traceparent)
    return SpanContext(int(trace, 16), int(span, 16), remote, TraceFlags(TraceFlags.SAMPLED))
