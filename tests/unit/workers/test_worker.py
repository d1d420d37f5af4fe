"""A worker decodes events, and logs and counts the outcome of each job once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from channels.contract.causes import Cause, Stage, current_cause, reached
from channels.contract.errors import LiveUnavailableError
from storage import events
from storage.errors import UnavailableError
from storage.events import BadEventError, Event, LikeAdded
from workers.broker.port import DeadLetter, Handler, Message, Policy
from workers.errors import Discard, Retry
from workers.worker import Worker

LIKE = LikeAdded(photo_id=1, owner_id=2, user_id=3)
POLICY = Policy(delivery_limit=3, backoff=(1.0,))


class FakeBroker:
    """A broker that delivers its messages once, and keeps the handler's exceptions."""

    def __init__(self, messages: Sequence[Message] = ()) -> None:
        self._messages = messages
        self.consumed: list[tuple[str, Policy]] = []
        self.raised: list[Exception | None] = []

    async def consume(self, queue: str, handler: Handler, policy: Policy) -> None:
        """Deliver all messages."""
        self.consumed.append((queue, policy))
        for message in self._messages:
            try:
                await handler(message)
            except Exception as error:  # noqa: BLE001 - the tests look at its type
                self.raised.append(error)
            else:
                self.raised.append(None)

    async def dead_letters(self, queue: str | None = None, *, limit: int = 100) -> Sequence[DeadLetter]:
        """Return nothing."""
        return []

    async def replay(self, dead_letter_id: str) -> bool:
        """Return False."""
        return False

    async def delete(self, dead_letter_id: str) -> bool:
        """Return False."""
        return False

    async def depths(self) -> Mapping[str, int]:
        """Return nothing."""
        return {}

    async def queues_without_consumers(self) -> Sequence[str]:
        """Return nothing."""
        return []

    async def close(self) -> None:
        """Do nothing."""


class Metrics:
    """Keep what was recorded."""

    def __init__(self) -> None:
        self.jobs: list[tuple[str, str]] = []
        self.seconds: list[float] = []
        self.ages: list[tuple[str, float]] = []
        self.stages: list[tuple[str, str, float]] = []

    def job(self, *, queue: str, outcome: str, seconds: float) -> None:
        """Keep one job."""
        self.jobs.append((queue, outcome))
        self.seconds.append(seconds)

    def event_handled(self, *, queue: str, age: float) -> None:
        """Keep one age."""
        self.ages.append((queue, age))

    def event_stage(self, *, queue: str, stage: str, age: float) -> None:
        """Keep one stage."""
        self.stages.append((queue, stage, age))


def message_of(event: Event = LIKE, *, attempt: int = 1, **headers: str) -> Message:
    """Return the message of an event."""
    return Message(
        event_id="e-1", topic=event.topic, key=event.key, body=events.encode(event), headers=headers, attempt=attempt
    )


def raising(error: Exception | None) -> Callable[[Event], Any]:
    """Return a handler that raises `error`, if any."""

    async def handler(_: Event) -> None:
        if error is not None:
            raise error

    return handler


async def test_an_event_reaches_the_handler_of_its_topic() -> None:
    """The handler gets the decoded event; the worker consumes its queue with its policy."""
    got: list[Event] = []

    async def handler(event: Event) -> None:
        got.append(event)

    broker = FakeBroker([message_of()])
    await Worker(broker, "notify", {"like.added": handler}, POLICY).run()
    assert got == [LIKE]
    assert broker.raised == [None]
    assert broker.consumed == [("notify", POLICY)]


@pytest.mark.parametrize(
    ("headers", "error", "ages"),
    [
        ({"due_at": "1700000000000"}, None, [("notify", 2.5)]),
        ({"due_at": "1700000003000"}, None, [("notify", 0.0)]),  # the clock of another machine is ahead
        ({"due_at": "1700000000000"}, ValueError("bad"), []),
        ({}, None, []),  # an event of the version before
    ],
)
async def test_the_age_of_a_handled_event(
    headers: dict[str, str], error: Exception | None, ages: list[tuple[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of an event's handling is measured from the time at which it was due."""
    monkeypatch.setattr("time.time", lambda: 1_700_000_002.5)
    metrics = Metrics()
    await Worker(
        FakeBroker([replace(message_of(), headers=headers)]), "notify", {"like.added": raising(error)}, POLICY, metrics
    ).run()
    assert metrics.ages == ages


async def test_the_stages_of_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stage is measured once from the commit; what the handler publishes carries queue, commit and trace."""
    causes = []

    async def handler(_: Event) -> None:
        causes.append(current_cause())
        for _repeat in range(2):
            reached(Stage.INSERTED, Stage.PUBLISHED)

    monkeypatch.setattr("time.time", lambda: 1_700_000_002.5)
    metrics = Metrics()
    headers = {"due_at": "1700000003000", "traceparent": "00-a-b-01"}
    messages = [replace(message_of(), headers=headers), message_of()]
    await Worker(FakeBroker(messages), "notify", {"like.added": handler}, POLICY, metrics).run()
    # The clock of the committing machine is ahead, which the metric counts.
    assert metrics.stages == [("notify", stage, -0.5) for stage in ("claimed", "inserted", "published")]
    committed = Cause(queue="notify", committed_at=1_700_000_003.0, traceparent="00-a-b-01")
    assert causes == [committed, None]
    assert current_cause() is None


@pytest.mark.parametrize(
    ("error", "attempt", "name", "level"),
    [
        (None, 1, "job_done", "info"),
        (ValueError("bad"), 2, "job_retried", "warning"),
        (Retry("later"), 1, "job_retried", "warning"),
        (Discard("never"), 1, "job_discarded", "warning"),
        (ValueError("bad"), 3, "job_dead", "error"),
    ],
)
async def test_each_job_is_logged_and_counted_once(
    error: Exception | None, attempt: int, name: str, level: str
) -> None:
    """Each delivery has one log event with all fields and one measurement; the error is passed to the broker."""
    metrics = Metrics()
    broker = FakeBroker([message_of(attempt=attempt, request_id="r-1")])
    worker = Worker(broker, "notify", {"like.added": raising(error)}, POLICY, metrics)
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        await worker.run()
    (entry,) = logs
    assert entry.pop("duration_ms") >= 0
    expected = {
        "event": name,
        "log_level": level,
        "queue": "notify",
        "topic": "like.added",
        "key": "1",
        "event_id": "e-1",
        "attempt": attempt,
        "request_id": "r-1",
    }
    if error is not None:
        expected["error"] = f"{type(error).__name__}: {error}"
    assert entry == expected
    assert broker.raised == [error]
    assert metrics.jobs == [("notify", name.removeprefix("job_"))]
    assert metrics.seconds[0] >= 0


@pytest.mark.parametrize("error", [UnavailableError("redis", "gone"), LiveUnavailableError("gone")])
async def test_a_job_waits_while_an_engine_is_unavailable(error: Exception) -> None:
    """A job is repeated in place while an engine is unavailable, and counts as one attempt."""
    outcomes: list[Exception | None] = [error, error, None]

    async def handler(_: Event) -> None:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    broker, metrics = FakeBroker([message_of()]), Metrics()
    with capture_logs() as logs:
        await Worker(broker, "notify", {"like.added": handler}, POLICY, metrics).run()
    assert outcomes == []
    assert broker.raised == [None]
    assert metrics.jobs == [("notify", "done")]
    assert [entry["event"] for entry in logs] == ["job_waits", "job_done"]


async def test_a_job_waits_for_the_outage_timeout_at_most() -> None:
    """A job whose engine stays unavailable fails at the outage timeout."""
    error = UnavailableError("redis", "gone")
    broker = FakeBroker([message_of()])
    await Worker(broker, "notify", {"like.added": raising(error)}, POLICY, outage_timeout=0.2).run()
    assert broker.raised == [error]


async def test_the_request_id_is_bound_while_the_handler_runs_and_no_longer() -> None:
    """The request id of a message is bound while its handler runs; the next handler has its own or none."""
    seen: list[object] = []

    async def handler(_: Event) -> None:
        seen.append(structlog.contextvars.get_contextvars().get("request_id"))

    broker = FakeBroker([message_of(request_id="r-1"), message_of(), message_of(request_id="r-2")])
    await Worker(broker, "notify", {"like.added": handler}, POLICY).run()
    assert seen == ["r-1", None, "r-2"]
    assert "request_id" not in structlog.contextvars.get_contextvars()


@pytest.mark.parametrize(
    "message",
    [
        Message(event_id="e", topic="like.added", key="1", body=b"\xc1"),
        Message(event_id="e", topic="like.added", key="1", body=b"\x80"),
        Message(event_id="e", topic="of.tomorrow", key="1", body=events.encode(LIKE)),
        message_of(events.UserChanged(user_id=1)),
    ],
)
async def test_a_message_that_cannot_be_handled_is_a_failure(message: Message) -> None:
    """A body that cannot be decoded, missing fields, and a topic without a handler raise `BadEventError`."""
    broker = FakeBroker([message])
    await Worker(broker, "notify", {"like.added": raising(None)}, POLICY).run()
    assert [type(error) for error in broker.raised] == [BadEventError]
