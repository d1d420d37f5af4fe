"""Join a handler of one kind of event to that kind's topic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from storage.events import BadEventError, E, Event

EventHandler = Callable[[Event], Awaitable[None]]


def on(kind: type[E], handler: Callable[[E], Awaitable[None]]) -> Mapping[str, EventHandler]:
    """Return {topic: handler}, to be joined with others; an event of another kind is `BadEventError`."""

    async def narrowed(event: Event) -> None:
        if not isinstance(event, kind):
            raise BadEventError(f"{type(event).__name__} came under the topic {kind.topic}")
        await handler(event)

    return {kind.topic: narrowed}
