"""Handlers of one event type."""

from __future__ import annotations

import pytest

from storage.events import BadEventError, Event, LikeAdded, PhotoReady
from workers.handlers import on


async def test_a_handler_gets_its_own_event_type_only() -> None:
    """A handler gets the events of its type; another type under its topic is an error."""
    handled: list[Event] = []

    async def handle(event: LikeAdded) -> None:
        handled.append(event)

    handlers = on(LikeAdded, handle)
    event = LikeAdded(photo_id=1, owner_id=2, user_id=3)
    await handlers["like.added"](event)
    assert handled == [event]
    with pytest.raises(BadEventError, match=r"like\.added"):
        await handlers["like.added"](PhotoReady(photo_id=1, author_id=2))
