"""Port of traces: spans of requests and events that were sampled.

A trace is sampled or not where it begins, before any span is made; what is not sampled has no `traceparent` and costs
nothing. Everything on the way of a sampled request carries the W3C `traceparent` of its parent.
"""

from __future__ import annotations

from typing import Protocol


class Span(Protocol):
    """A span that has begun; `traceparent` is that of its children."""

    @property
    def traceparent(self) -> str:
        """Return the W3C `traceparent` of children of this span."""
        ...

    def end(self, **attributes: str | int) -> None:
        """End the span now, and record it with attributes; must not block."""
        ...


class Tracing(Protocol):
    """Records spans; no method blocks or fails."""

    def sample(self, given: str | None) -> str | None:
        """Return the parent of a request's spans: `given` if it is sampled, "" for a new trace; None for no spans.

        `given` is the `traceparent` of a trusted proxy.
        """
        ...

    def begin(self, name: str, parent: str, *, start: float | None = None) -> Span:
        """Begin a span, at the Unix time `start` or now; with the parent "" it is the first of a trace."""
        ...
