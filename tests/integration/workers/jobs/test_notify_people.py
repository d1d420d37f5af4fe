"""People hear of followers and of requests, once, and no longer when these are taken back."""

from __future__ import annotations

import pytest

from storage.events import UserFollowed
from storage.stores import notifications, relations
from tests.support.community import follow, people, person
from tests.support.stage import Stage, inbox, quiet

pytestmark = pytest.mark.engines


async def test_follow(stage: Stage) -> None:
    """A person is told of a new follower once, however often the follow is given and taken back."""
    ann, bob = await people(stage.database, "ann", "bob")
    await quiet(stage, ann)
    await follow(stage.database, bob, ann)
    await stage.pump()
    (told,) = await stage.told(ann)
    assert told.document["notification"]["text"] == "bob started following you"
    assert told.document["notification"]["photo_id"] is None
    await stage.notify.followed(UserFollowed(follower_id=bob.id, followee_id=ann.id))
    async with stage.database.transaction() as tx:
        await relations.unfollow(tx, bob.id, ann.id)
    await stage.notify.followed(UserFollowed(follower_id=bob.id, followee_id=ann.id))
    await follow(stage.database, bob, ann)
    await stage.pump()
    assert await inbox(stage, ann) == ["bob started following you"]
    assert (await notifications.counters(stage.database, ann.id)).unread == 1


@pytest.mark.parametrize("refused", [False, True])
async def test_a_request_that_is_over_leaves_the_inbox(stage: Stage, refused: bool) -> None:
    """A request that is withdrawn or refused can no longer be granted, so it is taken back."""
    ann, bob = await person(stage.database, "ann", private=True), await person(stage.database, "bob")
    await quiet(stage, ann)
    await follow(stage.database, bob, ann)
    await stage.pump()
    async with stage.database.transaction() as tx:
        if refused:
            await relations.decline(tx, ann.id, bob.id)
        else:
            await relations.unfollow(tx, bob.id, ann.id)
    await stage.pump()
    assert await inbox(stage, ann) == []
    told = [message.document["type"] for message in await stage.told(ann)]
    assert told == ["notification", "notification.removed"]
    # An event that comes again, late, brings nothing back.
    await stage.notify.followed(UserFollowed(follower_id=bob.id, followee_id=ann.id, requested=True))
    assert await inbox(stage, ann) == []


async def test_follow_request(stage: Stage) -> None:
    """A private person is told of a request; when it is granted the follow takes its place."""
    ann, bob = await person(stage.database, "ann", private=True), await person(stage.database, "bob")
    await quiet(stage, ann)
    await follow(stage.database, bob, ann)
    await stage.pump()
    assert await inbox(stage, ann) == ["bob asked to follow you"]
    async with stage.database.transaction() as tx:
        await relations.accept(tx, ann.id, bob.id)
    await stage.pump()
    assert await inbox(stage, ann) == ["bob started following you"]
    assert [message.document["type"] for message in await stage.told(ann)] == [
        "notification",
        "notification",
        "notification.removed",
    ]
