"""A worker: events of one queue to their handlers, with one log event and one measurement for each job."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import structlog

from channels.contract.errors import LiveUnavailableError
from storage import events
from storage.errors import UnavailableError
from storage.events import BadEventError, Event
from workers.broker.backoff import reconnect_pause
from workers.broker.outcomes import Outcome, judge
from workers.broker.port import Broker, Message, Policy

log = structlog.get_logger(__name__)

EventHandler = Callable[[Event], Awaitable[None]]
_DOUBLINGS = 5  # of the pause before another try: 1.6 seconds at most, since an attempt itself may take a timeout
PATIENCE = 300.0  # seconds; well below the half hour after which RabbitMQ takes a message away from its consumer

_LOG_EVENTS = {
    Outcome.DONE: (logging.INFO, "job_done"),
    Outcome.RETRIED: (logging.WARNING, "job_retried"),
    Outcome.DISCARDED: (logging.WARNING, "job_discarded"),
    Outcome.DEAD: (logging.ERROR, "job_dead"),
}


class JobMetrics(Protocol):
    """Count jobs; `outcome` is "done", "retried", "discarded" or "dead"."""

    def job(self, *, queue: str, outcome: str, seconds: float) -> None:
        """Record one delivery and how long its handler took."""
        ...


class NoMetrics:
    """Record nothing."""

    def job(self, *, queue: str, outcome: str, seconds: float) -> None:
        """Do nothing."""


class Worker:
    """Work one queue with a handler for each topic.

    The type of what a handler raises decides (see `workers.errors`). A body that cannot be read, or a
    topic without a handler, counts as a failure like any other: a newer worker may yet take it, and in
    the end it stands among the dead letters. The request id that came with the event is bound to the
    log context while its handler runs, so that events emitted there carry it on.

    An engine that does not answer is not the job's failure: the job waits here for up to `patience` seconds
    and goes on as soon as the engine is back. The others behind it could do nothing either.
    """

    def __init__(
        self,
        broker: Broker,
        queue: str,
        handlers: Mapping[str, EventHandler],
        policy: Policy,
        metrics: JobMetrics | None = None,
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._broker = broker
        self._queue = queue
        self._handlers = handlers
        self._policy = policy
        self._metrics = metrics or NoMetrics()
        self._patience = patience

    async def run(self) -> None:
        """Work until cancelled."""
        await self._broker.consume(self._queue, self.handle, self._policy)

    async def handle(self, message: Message) -> None:
        """Hand one message to its handler; raise what the handler raised, once it is logged and counted."""
        started = time.perf_counter()
        context = {name: message.headers[name] for name in ("request_id",) if name in message.headers}
        with structlog.contextvars.bound_contextvars(**context):
            try:
                await self._dispatch(message)
            except Exception as error:
                self._record(message, error, started)
                raise
            self._record(message, None, started)

    async def _dispatch(self, message: Message) -> None:
        event = events.decode(message.topic, message.body)
        handler = self._handlers.get(message.topic)
        if handler is None:
            raise BadEventError(f"the worker of {self._queue} has no handler for {message.topic}")
        await self._patiently(handler, event, message)

    async def _patiently(self, handler: EventHandler, event: Event, message: Message) -> None:
        """Hand an event to its handler, again and again while an engine is away."""
        begun = time.monotonic()
        for failures in itertools.count(1):
            try:
                await handler(event)
            except (UnavailableError, LiveUnavailableError) as error:
                pause = reconnect_pause(min(failures, _DOUBLINGS))
                if time.monotonic() + pause - begun > self._patience:
                    raise
                if failures == 1:
                    log.warning("job_waits", queue=self._queue, event_id=message.event_id, error=str(error))
            else:
                return
            await asyncio.sleep(pause)

    def _record(self, message: Message, error: Exception | None, started: float) -> None:
        seconds = time.perf_counter() - started
        verdict = judge(error, message.attempt, self._policy)
        self._metrics.job(queue=self._queue, outcome=verdict.outcome, seconds=seconds)
        fields = {
            "queue": self._queue,
            "topic": message.topic,
            "key": message.key,
            "event_id": message.event_id,
            "attempt": message.attempt,
            "duration_ms": round(seconds * 1000, 1),
        }
        if error is not None:
            fields["error"] = verdict.error
        level, name = _LOG_EVENTS[verdict.outcome]
        log.log(level, name, **fields)
