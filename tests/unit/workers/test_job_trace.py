"""The spans of a job."""

from __future__ import annotations

import pytest

from channels.contract.causes import Stage
from workers.broker.port import Message
from workers.job_trace import JobTrace


class Span:
    """A span that is kept once it has ended."""

    def __init__(self, ended: list[str], name: str, parent: str) -> None:
        self._ended = ended
        self._text = f"{name} below {parent}"
        self.traceparent = f"the {name}"

    def end(self, **attributes: str | int) -> None:
        """Keep the span."""
        self._ended.append(" ".join([self._text, *(f"{name}={value}" for name, value in attributes.items())]))


class Tracing:
    """Keeps the spans that have ended, and the starts that were given."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.starts: list[float] = []

    def sample(self, given: str | None) -> str | None:
        """Sample nothing."""

    def begin(self, name: str, parent: str, *, start: float | None = None) -> Span:
        """Begin a span."""
        if start is not None:
            self.starts.append(start)
        return Span(self.ended, name, parent)


def message_of(**headers: str) -> Message:
    """Return a message."""
    return Message(event_id="e", topic="t", key="k", body=b"", headers=headers)


def test_a_sampled_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are spans of its wait, of each stage, and of the whole; also if the clock of the commit is ahead."""
    monkeypatch.setattr("time.time", lambda: 100.0)
    tracing = Tracing()
    trace = JobTrace(tracing, "fanout", message_of(traceparent="the relay", due_at="101000"))
    assert trace.traceparent == "the job fanout"
    with trace.ended():
        for stage in (Stage.CLAIMED, Stage.INSERTED):
            trace.reached(stage)
    assert tracing.ended == [
        "wait fanout below the relay topic=t",
        "inserted below the job fanout",
        "job fanout below the relay topic=t event_id=e attempt=1",
    ]
    assert tracing.starts == [100.0, 100.0]


@pytest.mark.parametrize(
    ("tracing", "headers", "traceparent"),
    [(Tracing(), {}, ""), (None, {"traceparent": "the relay"}, "the relay")],
    ids=["not sampled", "no traces in this process"],
)
def test_a_job_without_spans(tracing: Tracing | None, headers: dict[str, str], traceparent: str) -> None:
    """Nothing is recorded; a trace of other processes is passed on."""
    trace = JobTrace(tracing, "fanout", message_of(**headers))
    with trace.ended():
        trace.reached(Stage.INSERTED)
    assert trace.traceparent == traceparent
    assert tracing is None or tracing.ended == []
