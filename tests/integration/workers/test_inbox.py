"""An inbox and what is told of it stay in step, whatever happens at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from storage import notifications
from storage.database import Database
from storage.models import NotificationKind, Photo, User
from storage.notification_log import NotificationLog
from storage.window_log import Announcement
from tests.support.community import people, ready_photo
from tests.support.eventually import eventually
from workers.inbox import Act, Inbox

pytestmark = pytest.mark.engines


def like_of(user: User, photo: Photo) -> Act:
    """Return the act of a like."""
    return Act(
        recipient_id=photo.author.id,
        kind=NotificationKind.LIKE,
        actor_id=user.id,
        photo_id=photo.id,
        source_id=photo.id,
    )


class PausingLog(NotificationLog):
    """A log whose first announcement is held up until `go`; `told` are the documents in the order they left."""

    def __init__(self, redis: Any) -> None:
        super().__init__(redis)
        self.paused, self.go = asyncio.Event(), asyncio.Event()
        self.told: list[Any] = []

    async def push(self, user_id: int, notification_id: int, announcement: Announcement) -> bool:
        """Announce, the first time only after `go`."""
        if not self.paused.is_set():
            self.paused.set()
            await self.go.wait()
        self.told.append(orjson.loads(announcement.body[announcement.body.index(b'{"type"') :]))
        return await super().push(user_id, notification_id, announcement)


@pytest.mark.parametrize(("now", "later", "entries"), [(True, False, 0), (False, True, 1)])
async def test_settles(database: Database, redis: Any, now: bool, later: bool, entries: int) -> None:
    """An act that is taken back, or given again, while it is being noted leaves the inbox as it is in the end."""
    ann, bob = await people(database, "ann", "bob")
    photo = await ready_photo(database, ann)
    inbox, act = Inbox(database, NotificationLog(redis)), like_of(bob, photo)
    if not now:
        await inbox.note(act)
    answers: Iterator[bool] = iter((later, later))

    async def stands() -> bool:
        return next(answers)

    await inbox.settle(act, stands, now)
    assert len(await notifications.inbox(database, ann.id, before=None, limit=10)) == entries


async def test_told_in_order(database: Database, redis: Any) -> None:
    """An announcement that is held up lets no later one pass, so that what is told last is how things stand."""
    ann, bob, cat = await people(database, "ann", "bob", "cat")
    photo = await ready_photo(database, ann)
    log = PausingLog(redis)
    inbox = Inbox(database, log)
    first = asyncio.create_task(inbox.note(like_of(bob, photo)))
    await log.paused.wait()
    second = asyncio.create_task(inbox.note(like_of(cat, photo)))
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

    async def held_up() -> bool:
        return second.done() or await database.fetchval(waiting) > 0

    await eventually(held_up)
    log.go.set()
    await asyncio.gather(first, second)
    assert [document["notification"]["count"] for document in log.told] == [1, 2]


async def test_nothing_to_withdraw(database: Database, redis: Any) -> None:
    """Taking back what was never noted tells nobody anything."""
    ann, bob = await people(database, "ann", "bob")
    photo = await ready_photo(database, ann)
    log = PausingLog(redis)
    await Inbox(database, log).withdraw(like_of(bob, photo))
    assert not log.paused.is_set()
