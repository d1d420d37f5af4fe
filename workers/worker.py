"""A worker: passes the events of one queue to their handlers, with one log event and one measurement for each job."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol

import structlog

from channels.contract.causes import Cause, Stage, causing, reached
from channels.contract.errors import LiveUnavailableError
from channels.contract.tracing import Tracing
from storage import events
from storage.errors import UnavailableError
from storage.events import BadEventError, Event
from workers.broker.backoff import reconnect_pause
from workers.broker.outcomes import JobStatus, decide
from workers.broker.port import Broker, Message, Policy
from workers.handlers import EventHandler, EventOrigin, handling
from workers.job_trace import JobTrace

log = structlog.get_logger(__name__)

_MAX_DOUBLINGS = 5  # of the pause between attempts: 1.6 seconds at most, since an attempt itself may run into a timeout
OUTAGE_TIMEOUT = 300.0  # seconds; well below the half hour after which RabbitMQ takes a message from its consumer

_LOG_EVENTS = {
    JobStatus.DONE: (logging.INFO, "job_done"),
    JobStatus.RETRIED: (logging.WARNING, "job_retried"),
    JobStatus.DISCARDED: (logging.WARNING, "job_discarded"),
    JobStatus.DEAD: (logging.ERROR, "job_dead"),
}


class JobMetrics(Protocol):
    """Counts jobs; `outcome` is "done", "retried", "discarded" or "dead"."""

    def job(self, *, queue: str, outcome: str, seconds: float) -> None:
        """Record one delivery and the duration of its handler."""
        ...

    def event_handled(self, *, queue: str, age: float) -> None:
        """Record the seconds between the time at which an event was due and the end of its handling."""
        ...

    def event_stage(self, *, queue: str, stage: str, age: float) -> None:
        """Record the seconds from the commit of an event until it reached a stage; negative if the clocks differ."""
        ...


class NoMetrics:
    """Records nothing."""

    def job(self, *, queue: str, outcome: str, seconds: float) -> None:
        """Do nothing."""

    def event_handled(self, *, queue: str, age: float) -> None:
        """Do nothing."""

    def event_stage(self, *, queue: str, stage: str, age: float) -> None:
        """Do nothing."""


class Worker:
    """Consumer of one queue, with a handler for each topic.

    The type of the exception that a handler raises decides the outcome (see `workers.errors`). A body that cannot be
    decoded and a topic without a handler count as failures like any other: a newer worker may handle the message, and
    otherwise it ends as a dead letter.
    """

    def __init__(
        self,
        broker: Broker,
        queue: str,
        handlers: Mapping[str, EventHandler],
        policy: Policy,
        metrics: JobMetrics | None = None,
        *,
        outage_timeout: float = OUTAGE_TIMEOUT,
        tracing: Tracing | None = None,
    ) -> None:
        self._broker = broker
        self._queue = queue
        self._handlers = handlers
        self._policy = policy
        self._metrics = metrics or NoMetrics()
        self._outage_timeout = outage_timeout  # seconds
        self._tracing = tracing

    async def run(self) -> None:
        """Consume until cancelled."""
        await self._broker.consume(self._queue, self.handle, self._policy)

    async def handle(self, message: Message) -> None:
        """Pass one message to its handler; re-raise the handler's exception once it is logged and counted."""
        started = time.perf_counter()
        # Events that the handler emits take these from this context, so that one id follows a whole request.
        context = {name: message.headers[name] for name in ("request_id", "traceparent") if name in message.headers}
        trace = JobTrace(self._tracing, self._queue, message)
        if trace.traceparent:
            context["traceparent"] = trace.traceparent
        with structlog.contextvars.bound_contextvars(**context), trace.ended():
            try:
                await self._dispatch(message, trace)
            except Exception as error:
                self._record(message, error, started)
                raise
            self._record(message, None, started)

    async def _dispatch(self, message: Message, trace: JobTrace) -> None:
        event = events.decode(message.topic, message.body)
        handler = self._handlers.get(message.topic)
        if handler is None:
            raise BadEventError(f"the worker of {self._queue} has no handler for {message.topic}")
        with handling(_origin_of(message)), self._caused(message, trace):
            await self._retry_while_unavailable(handler, event, message)

    @contextmanager
    def _caused(self, message: Message, trace: JobTrace) -> Iterator[None]:
        """Let what the handler publishes carry the event; an event of an earlier version does not say when it was."""
        if "due_at" not in message.headers:
            yield
            return
        due_at = int(message.headers["due_at"]) / 1000
        cause = Cause(queue=self._queue, committed_at=due_at, traceparent=trace.traceparent)

        def observe(stage: Stage) -> None:
            self._metrics.event_stage(queue=self._queue, stage=stage, age=time.time() - due_at)
            trace.reached(stage)

        with causing(cause, observe):
            reached(Stage.CLAIMED)
            yield

    async def _retry_while_unavailable(self, handler: EventHandler, event: Event, message: Message) -> None:
        """Run a handler; while an engine is unavailable repeat it, until `outage_timeout` is over."""
        # An outage is not the job's failure and costs it no attempt. The message keeps its slot meanwhile: the
        # messages behind it need the same engines.
        started = time.monotonic()
        for failures in itertools.count(1):
            try:
                await handler(event)
            except (UnavailableError, LiveUnavailableError) as error:
                pause = reconnect_pause(min(failures, _MAX_DOUBLINGS))
                if time.monotonic() + pause - started > self._outage_timeout:
                    raise
                if failures == 1:
                    log.warning("job_waits", queue=self._queue, event_id=message.event_id, error=str(error))
            else:
                return
            await asyncio.sleep(pause)

    def _record(self, message: Message, error: Exception | None, started: float) -> None:
        seconds = time.perf_counter() - started
        # The broker decides again, from the same exception; only the log and the metrics use this result.
        outcome = decide(error, message.attempt, self._policy)
        self._metrics.job(queue=self._queue, outcome=outcome.status, seconds=seconds)
        if error is None and "due_at" in message.headers:
            # The clocks of two machines may differ.
            age = max(time.time() - int(message.headers["due_at"]) / 1000, 0.0)
            self._metrics.event_handled(queue=self._queue, age=age)
        fields = {
            "queue": self._queue,
            "topic": message.topic,
            "key": message.key,
            "event_id": message.event_id,
            "attempt": message.attempt,
            "duration_ms": round(seconds * 1000, 1),
        }
        if error is not None:
            fields["error"] = outcome.error
        level, name = _LOG_EVENTS[outcome.status]
        log.log(level, name, **fields)


def _origin_of(message: Message) -> EventOrigin:
    """Return the origin of a message. An event of an earlier version does not say when it was due: now, then."""
    milliseconds = int(message.headers.get("due_at") or time.time() * 1000)
    return EventOrigin(id=message.event_id, due_at=datetime.fromtimestamp(milliseconds / 1000, UTC))
