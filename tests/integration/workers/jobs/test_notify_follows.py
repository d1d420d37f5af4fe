"""Notifications of followers and of requests to follow: recorded once, and retracted with their cause."""

from __future__ import annotations

import pytest

from storage.events import UserFollowed
from storage.stores import notifications, relations
from tests.support.community import follow, new_user, new_users
from tests.support.stage import Stage, inbox, start_clean

pytestmark = pytest.mark.engines


async def test_a_follow_is_notified_once(stage: Stage) -> None:
    """A new follower creates one notification, however often the follow is repeated."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    await start_clean(stage, ann)
    await follow(stage.database, bob, ann)
    await stage.pump()
    (delivery,) = await stage.deliveries(ann)
    assert delivery.document["notification"]["text"] == "bob started following you"
    assert delivery.document["notification"]["photo_id"] is None
    await stage.notify.followed(UserFollowed(follower_id=bob.id, followee_id=ann.id))
    async with stage.database.transaction() as tx:
        await relations.unfollow(tx, bob.id, ann.id)
    await stage.notify.followed(UserFollowed(follower_id=bob.id, followee_id=ann.id))
    await follow(stage.database, bob, ann)
    await stage.pump()
    assert await inbox(stage, ann) == ["bob started following you"]
    assert (await notifications.counters(stage.database, ann.id)).unread == 1


@pytest.mark.parametrize("declined", [False, True])
async def test_a_request_that_is_over_leaves_the_inbox(stage: Stage, declined: bool) -> None:
    """A request that is withdrawn or declined leaves the inbox, since it can no longer be accepted."""
    ann, bob = await new_user(stage.database, "ann", private=True), await new_user(stage.database, "bob")
    await start_clean(stage, ann)
    await follow(stage.database, bob, ann)
    await stage.pump()
    async with stage.database.transaction() as tx:
        if declined:
            await relations.decline(tx, ann.id, bob.id)
        else:
            await relations.unfollow(tx, bob.id, ann.id)
    await stage.pump()
    assert await inbox(stage, ann) == []
    kinds = [message.document["type"] for message in await stage.deliveries(ann)]
    assert kinds == ["notification", "notification.removed"]
    # The event of the request comes again, late, and changes nothing.
    await stage.notify.followed(UserFollowed(follower_id=bob.id, followee_id=ann.id, requested=True))
    assert await inbox(stage, ann) == []


async def test_an_accepted_request_becomes_a_follow(stage: Stage) -> None:
    """A private account gets a notification of a request; once accepted, that of the follow replaces it."""
    ann, bob = await new_user(stage.database, "ann", private=True), await new_user(stage.database, "bob")
    await start_clean(stage, ann)
    await follow(stage.database, bob, ann)
    await stage.pump()
    assert await inbox(stage, ann) == ["bob asked to follow you"]
    async with stage.database.transaction() as tx:
        await relations.accept(tx, ann.id, bob.id)
    await stage.pump()
    assert await inbox(stage, ann) == ["bob started following you"]
    assert [message.document["type"] for message in await stage.deliveries(ann)] == [
        "notification",
        "notification",
        "notification.removed",
    ]
