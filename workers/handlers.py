"""The type of event handlers, and the adaptation of a handler of one event type to that type's topic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from storage.events import BadEventError, E, Event

EventHandler = Callable[[Event], Awaitable[None]]


def on(kind: type[E], handler: Callable[[E], Awaitable[None]]) -> Mapping[str, EventHandler]:
    """Return {topic: handler}, to be merged with others; it raises `BadEventError` for an event of another type."""

    async def narrowed(event: Event) -> None:
        if not isinstance(event, kind):
            raise BadEventError(f"the topic {kind.topic} has an event of the type {type(event).__name__}")
        await handler(event)

    return {kind.topic: narrowed}
