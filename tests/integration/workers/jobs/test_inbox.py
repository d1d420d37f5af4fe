"""What is noted in an inbox and what is told of it stay in step, whatever happens at the same time."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from storage.models import NotificationKind, User
from storage.stores import notifications
from tests.support.community import people, ready_photo
from tests.support.stage import Stage, quiet
from workers.jobs.inbox import Activity, Inbox

pytestmark = pytest.mark.engines


async def a_like(stage: Stage) -> tuple[User, Activity]:
    """Return somebody who is connected, and a like of their photo that nobody has noted."""
    ann, bob = await people(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    await quiet(stage, ann)
    act = Activity(
        recipient_id=ann.id, kind=NotificationKind.LIKE, actor_id=bob.id, photo_id=photo.id, source_id=photo.id
    )
    return ann, act


async def test_what_was_noted_and_not_told_is_told_by_the_repetition(stage: Stage) -> None:
    """A handler that died between the two is repeated, and tells then."""
    ann, by_bob = await a_like(stage)
    async with stage.database.transaction() as tx:
        await notifications.note(tx, **asdict(by_bob))
    assert await stage.told(ann) == []

    async def stands() -> bool:
        return True

    await Inbox(stage.database, stage.notification_log).settle(by_bob, stands, now=True)
    assert [message.document["type"] for message in await stage.told(ann)] == ["notification"]


async def test_a_like_given_again_meanwhile_is_told_once(stage: Stage) -> None:
    """A like that is taken back and given again while it is handled is told by the handler of the second alone."""
    ann, by_bob = await a_like(stage)
    first, second = (Inbox(stage.database, stage.notification_log) for _ in range(2))
    looks = iter((False, True, True))

    async def stands() -> bool:
        if look := next(looks):
            await second.note(by_bob, news_only=True)
        return look

    await first.settle(by_bob, stands, now=True)
    kinds = [message.document["type"] for message in await stage.told(ann)]
    assert kinds == ["notification", "notification.removed", "notification"]
