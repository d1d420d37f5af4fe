"""Traces: what is sampled, and what a span looks like."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from server.operation.tracing import SdkTracing

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Traces:
    """A tracing of which all spans are kept."""

    def __init__(self, ratio: float = 0.0) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracing = SdkTracing(self._exporter, ratio=ratio, service="test")

    def spans(self) -> list[ReadableSpan]:
        """Return what has ended."""
        self.tracing.flush()
        return list(self._exporter.get_finished_spans())


@pytest.fixture
def traces() -> Iterator[Traces]:
    """A tracing that samples nothing by itself."""
    found = Traces()
    yield found
    found.tracing.close()


@pytest.mark.parametrize(
    ("given", "ratio", "parent"),
    [
        (f"00-{TRACE}-{PARENT}-01", 0.0, f"00-{TRACE}-{PARENT}-01"),
        (f"00-{TRACE}-{PARENT}-00", 1.0, None),  # the proxy has decided against it
        (None, 0.0, None),
        (None, 1.0, ""),
        ("00-nonsense-01", 1.0, ""),
        ("00-nonsense-01", 0.0, None),
    ],
)
def test_what_is_sampled(given: str | None, ratio: float, parent: str | None) -> None:
    """The flag of a proxy decides; without a valid one a random draw does."""
    traces = Traces(ratio)
    assert traces.tracing.sample(given) == parent
    traces.tracing.close()


def test_a_span_has_its_parent_its_times_and_attributes(traces: Traces) -> None:
    """A span that begins in the past is as long as it took, and its children have its id."""
    first = traces.tracing.begin("first", f"00-{TRACE}-{PARENT}-01", start=1.5)
    traces.tracing.begin("second", first.traceparent).end(connections=3)
    first.end(topic="photo.ready")
    second, span = traces.spans()
    context, parent = span.get_span_context(), span.parent
    assert context is not None
    assert parent is not None
    assert f"{context.trace_id:032x}" == TRACE
    assert f"{parent.span_id:016x}" == PARENT
    assert span.start_time == 1_500_000_000
    assert dict(span.attributes or {}) == {"topic": "photo.ready"}
    assert second.parent is not None
    assert second.parent.span_id == context.span_id
    assert first.traceparent == f"00-{TRACE}-{context.span_id:016x}-01"


@pytest.mark.parametrize("parent", ["", "00-nonsense-01"])
def test_a_span_without_a_parent_begins_a_trace(traces: Traces, parent: str) -> None:
    """A header that is no `traceparent` does no harm."""
    traces.tracing.begin("first", parent).end()
    (span,) = traces.spans()
    assert span.parent is None
