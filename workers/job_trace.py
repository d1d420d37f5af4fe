"""The spans of one job of a sampled request: its wait for a worker, the job, and the stages that its event reaches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from channels.contract.causes import Stage
from channels.contract.tracing import Span, Tracing
from workers.broker.port import Message


class JobTrace:
    """Spans of the handling of a message; none if it has no `traceparent`, or if this process records no traces.

    `traceparent` is what its publications and events carry: that of the job, else that of the message.
    """

    def __init__(self, tracing: Tracing | None, queue: str, message: Message) -> None:
        self._tracing = tracing
        self._span: Span | None = None
        self._message = message
        self._since = time.time()
        self.traceparent = message.headers.get("traceparent", "")
        if tracing is None or not self.traceparent:
            return
        if "due_at" in message.headers:
            # Clocks of machines differ, and a span cannot end before its start.
            due_at = min(int(message.headers["due_at"]) / 1000, self._since)
            tracing.begin(f"wait {queue}", self.traceparent, start=due_at).end(topic=message.topic)
        self._span = tracing.begin(f"job {queue}", self.traceparent)
        self.traceparent = self._span.traceparent

    def reached(self, stage: Stage) -> None:
        """Record a span from the last stage to this one."""
        if self._tracing is None or self._span is None or stage is Stage.CLAIMED:
            return
        self._tracing.begin(stage, self.traceparent, start=self._since).end()
        self._since = time.time()

    @contextmanager
    def ended(self) -> Iterator[None]:
        """End the span of the job after the block."""
        try:
            yield
        finally:
            if self._span is not None:
                self._span.end(
                    topic=self._message.topic, event_id=self._message.event_id, attempt=self._message.attempt
                )
