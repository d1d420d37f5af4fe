"""The type of event handlers, the origin of the event that is handled, and the adaptation of a handler to a topic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

from storage.events import BadEventError, E, Event

EventHandler = Callable[[Event], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class EventOrigin:
    """The id of an event, the same in all queues and deliveries, and the time at which it was due."""

    id: str
    due_at: datetime


_origin: ContextVar[EventOrigin] = ContextVar("event_origin")


@contextmanager
def handling(origin: EventOrigin) -> Iterator[None]:
    """Let handlers that are called in this block find the origin of their event."""
    token = _origin.set(origin)
    try:
        yield
    finally:
        _origin.reset(token)


def event_origin() -> EventOrigin:
    """Return the origin of the event that is handled; raise `LookupError` outside of a handler."""
    return _origin.get()


def on(kind: type[E], handler: Callable[[E], Awaitable[None]]) -> Mapping[str, EventHandler]:
    """Return {topic: handler}, to be merged with others; it raises `BadEventError` for an event of another type."""

    async def narrowed(event: Event) -> None:
        if not isinstance(event, kind):
            raise BadEventError(f"the topic {kind.topic} has an event of the type {type(event).__name__}")
        await handler(event)

    return {kind.topic: narrowed}
