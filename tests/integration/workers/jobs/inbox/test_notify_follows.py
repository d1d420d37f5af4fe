"""Notifications of followers and of requests to follow: recorded once, and retracted with their cause."""

from __future__ import annotations

import pytest

from storage.events import UserFollowed
from storage.stores.accounts import account_fields
from storage.stores.notifications import notification_counters
from storage.stores.social import follows
from tests.support.community import follow, new_user, new_users
from tests.support.stage import Stage, inbox, kinds, start_clean

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
        await follows.unfollow(tx, bob.id, ann.id)
    await stage.notify.followed(UserFollowed(follower_id=bob.id, followee_id=ann.id))
    await follow(stage.database, bob, ann)
    await stage.pump()
    assert await inbox(stage, ann) == ["bob started following you"]
    assert (await notification_counters.read(stage.database, ann.id)).unread == 1
    assert "notification" not in kinds(await stage.deliveries(ann))


@pytest.mark.parametrize("private", [False, True])
async def test_following_in_turn_is_announced_once(stage: Stage, private: bool) -> None:
    """A follow or a request that is withdrawn and repeated is announced once; the inbox shows what is true."""
    ann, bob = await new_user(stage.database, "ann", private=private), await new_user(stage.database, "bob")
    await start_clean(stage, ann)
    for _ in range(3):
        await follow(stage.database, bob, ann)
        await stage.pump()
        async with stage.database.transaction() as tx:
            await follows.unfollow(tx, bob.id, ann.id)
        await stage.pump()
        assert await inbox(stage, ann) == []
    published = kinds(await stage.deliveries(ann))
    assert published.count("notification") == 1
    assert published[-1] == "notification.removed"


@pytest.mark.parametrize("declined", [False, True])
async def test_a_request_that_is_over_leaves_the_inbox(stage: Stage, declined: bool) -> None:
    """A request that is withdrawn or declined leaves the inbox, since it can no longer be accepted."""
    ann, bob = await new_user(stage.database, "ann", private=True), await new_user(stage.database, "bob")
    await start_clean(stage, ann)
    await follow(stage.database, bob, ann)
    await stage.pump()
    async with stage.database.transaction() as tx:
        if declined:
            await follows.decline(tx, ann.id, bob.id)
        else:
            await follows.unfollow(tx, bob.id, ann.id)
    await stage.pump()
    assert await inbox(stage, ann) == []
    assert kinds(await stage.deliveries(ann)) == ["notification", "notification.removed"]
    # The event of the request comes again, late, and changes nothing.
    await stage.notify.followed(UserFollowed(follower_id=bob.id, followee_id=ann.id, requested=True))
    assert await inbox(stage, ann) == []


async def test_the_requester_is_notified_of_the_acceptance(stage: Stage) -> None:
    """An accepted request leaves the owner's inbox; the requester gets a notification, which an unfollow removes."""
    ann, bob = await new_user(stage.database, "ann", private=True), await new_user(stage.database, "bob")
    await start_clean(stage, ann, bob)
    await follow(stage.database, bob, ann)
    await stage.pump()
    assert await inbox(stage, ann) == ["bob asked to follow you"]
    async with stage.database.transaction() as tx:
        await follows.accept(tx, ann.id, bob.id)
    await stage.pump()
    assert await inbox(stage, ann) == []
    assert await inbox(stage, bob) == ["ann accepted your request to follow"]
    deliveries = [message for message in await stage.deliveries(ann) if "data" in message.body]
    assert kinds(deliveries) == ["notification", "notification.removed"]
    async with stage.database.transaction() as tx:
        await follows.unfollow(tx, bob.id, ann.id)
    await stage.pump()
    assert await inbox(stage, bob) == []


async def test_requests_that_are_granted_together_are_notified_as_accepted(stage: Stage) -> None:
    """When an account becomes public its requesters are notified, and the requests leave the owner's inbox."""
    ann, bob = await new_user(stage.database, "ann", private=True), await new_user(stage.database, "bob")
    await follow(stage.database, bob, ann)
    await stage.pump()
    async with stage.database.transaction() as tx:
        await account_fields.update(tx, ann.id, private=False)
    await stage.pump()
    assert await inbox(stage, ann) == []
    assert await inbox(stage, bob) == ["ann accepted your request to follow"]


async def test_requests_are_not_grouped(stage: Stage) -> None:
    """Each request to follow is a notification of its own, since each is decided on its own."""
    ann = await new_user(stage.database, "ann", private=True)
    for user in await new_users(stage.database, "bob", "cat"):
        await follow(stage.database, user, ann)
    await stage.pump()
    assert await inbox(stage, ann) == ["cat asked to follow you", "bob asked to follow you"]
