"""Traces with OpenTelemetry's SDK: spans of what was sampled, sent in batches by a thread of the SDK.

The instrumentation of aiohttp is not used: it costs more than a page of the home feed, also for requests that are not
sampled. Here a request is sampled before any call of the SDK.
"""

from __future__ import annotations

import random
import re
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")  # W3C Trace Context, version 00
_SAMPLED = 0x01


class SdkSpan:
    """A span of the SDK; see `channels.contract.tracing.Span`."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-01"

    def end(self, **attributes: str | int) -> None:
        """End the span now."""
        self._span.set_attributes(attributes)
        self._span.end()


class SdkTracing:
    """Traces of this process; see `channels.contract.tracing.Tracing`. `ratio` is the share of sampled requests."""

    def __init__(self, exporter: SpanExporter, *, ratio: float, service: str, version: str = "") -> None:
        resource = Resource.create({"service.name": service, "service.version": version})
        # What reaches the SDK is sampled already. Its end belongs to the composition root, not to the interpreter.
        self._provider = TracerProvider(resource=resource, sampler=ALWAYS_ON, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("picshare")
        self._ratio = ratio

    def sample(self, given: str | None) -> str | None:
        """Return the parent of a request's spans, or None."""
        if given is not None and (match := _TRACEPARENT.fullmatch(given)) is not None:
            return given if int(match[3], 16) & _SAMPLED else None
        return "" if random.random() < self._ratio else None

    def begin(self, name: str, parent: str, *, start: float | None = None) -> SdkSpan:
        """Begin a span."""
        nanoseconds = None if start is None else round(start * 1e9)
        return SdkSpan(self._tracer.start_span(name, context=_context_of(parent), start_time=nanoseconds))

    def flush(self) -> None:
        """Send what was recorded; blocks."""
        self._provider.force_flush()

    def close(self) -> None:
        """Send what was recorded, and end the SDK's thread; blocks for some seconds at most."""
        self._provider.shutdown()


def _context_of(traceparent: str) -> Any:
    """Return the context of a parent; an empty one, which begins a trace, for a text that is no `traceparent`."""
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return Context()
    parent = SpanContext(int(match[1], 16), int(match[2], 16), is_remote=True, trace_flags=TraceFlags(_SAMPLED))
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())
