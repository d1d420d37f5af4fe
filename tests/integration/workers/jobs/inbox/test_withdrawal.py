"""What a user has caused in another user's inbox and below their photos is withdrawn by a block and by the deletion."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from storage.events import CommentAdded
from storage.ids import encode
from storage.models import Comment, Photo, User
from storage.notifications import NotificationKind
from storage.stores.accounts import erasure, users
from storage.stores.comments import comment_lists, comments
from storage.stores.notifications import notification_counters
from storage.stores.photos import photo_deletion
from storage.stores.social import blocks, follows
from tests.support.community import block, follow, new_user, new_users, ready_photo, record_notification
from tests.support.inboxes import counters, counters_json
from tests.support.locks import wait_for_blocked_transaction
from tests.support.stage import Stage, inbox, start_clean

pytestmark = pytest.mark.engines


async def comment(stage: Stage, author: User, photo: Photo, text: str = "nice") -> Comment:
    """Write a comment."""
    async with stage.database.transaction() as tx:
        return (await comments.add(tx, photo_id=photo.id, author_id=author.id, text=text))[0]


async def texts(stage: Stage, photo: Photo) -> list[str]:
    """Return the comments below a photo as a visitor sees them."""
    found = await comment_lists.page(stage.database, photo.id, viewer_id=None, limit=99)
    return [item.text for item in found]


async def notification_documents(stage: Stage, user: User) -> list[dict[str, object]]:
    """Return the publications of a user's inbox since the last call."""
    return [m.document for m in await stage.deliveries(user) if m.body.get("stream") == "notifications"]


@pytest.mark.parametrize("turned", [False, True])
async def test_a_block_empties_both_inboxes(stage: Stage, turned: bool) -> None:
    """A block removes each user's activities from the other's inbox; what is left is published with the counters."""
    ann, bob, cat = await new_users(stage.database, "ann", "bob", "cat")
    mine, yours = await ready_photo(stage.database, ann), await ready_photo(stage.database, bob)
    await follow(stage.database, bob, ann)
    for user in (cat, bob):
        await stage.like(user, mine)
    await stage.like(ann, yours)
    await comment(stage, bob, mine)
    await start_clean(stage, ann, bob)
    assert len(await inbox(stage, ann)) == 3
    assert len(await inbox(stage, bob)) == 1
    await block(stage.database, *((bob, ann) if turned else (ann, bob)))
    await stage.pump()
    assert await inbox(stage, ann) == ["cat liked your photo"]
    assert await inbox(stage, bob) == []
    documents = await notification_documents(stage, ann)
    assert [document["counters"] for document in documents][-1] == counters_json(like=(1, 1))
    assert [document["type"] for document in documents].count("notification.removed") == 2
    assert await notification_counters.read(stage.database, bob.id) == counters()


async def test_a_block_removes_the_comments_below_each_others_photos(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block deletes both users' comments below the other's photos, for all users, counted and published."""
    monkeypatch.setattr("workers.jobs.inbox.withdrawals.COMMENTS_AT_ONCE", 3)
    ann, bob, cat = await new_users(stage.database, "ann", "bob", "cat")
    mine = [await ready_photo(stage.database, ann) for _ in range(5)]
    yours, hers = await ready_photo(stage.database, bob), await ready_photo(stage.database, cat)
    for photo in mine:
        for text in ("one", "two"):
            await comment(stage, bob, photo, text)
    await comment(stage, cat, mine[0], "stays")
    await comment(stage, ann, yours, "goes too")
    await comment(stage, bob, hers, "not yours")
    await start_clean(stage, ann)
    await block(stage.database, ann, bob)
    await stage.pump()
    assert [await texts(stage, photo) for photo in mine] == [["stays"], [], [], [], []]
    assert (await texts(stage, yours), await texts(stage, hers)) == ([], ["not yours"])
    published = [
        document for topic, document in await stage.topic_publications() if topic == f"photo:{encode(mine[0].id)}"
    ]
    assert [document["type"] for document in published] == ["photo.comment_deleted"] * 2
    assert published[-1]["comments"] == 1
    assert (await stage.counter_cache.read([mine[0].id], cat.id))[mine[0].id][1] == 1


async def test_a_comment_that_a_block_overtakes_is_deleted(stage: Stage) -> None:
    """A comment that was committed after the block was handled is deleted, and published to no user."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    await start_clean(stage, ann)
    written = await comment(stage, bob, photo)
    await block(stage.database, ann, bob)
    # The block's own event is handled before the comment is visible; here, it is not handled at all.
    await stage.database.fetch("DELETE FROM outbox")
    event = CommentAdded(comment_id=written.id, photo_id=photo.id, owner_id=ann.id, user_id=bob.id)
    await stage.comments.added(event)
    await stage.pump()
    assert await texts(stage, photo) == []
    assert await inbox(stage, ann) == []
    assert [document["type"] for _, document in await stage.topic_publications()] == ["photo.comment_deleted"]


async def test_a_block_that_is_over_withdraws_nothing(stage: Stage) -> None:
    """A block that was removed before it was handled changes neither inboxes nor comments."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    await comment(stage, bob, photo)
    await start_clean(stage, ann)
    await block(stage.database, ann, bob)
    async with stage.database.transaction() as tx:
        await blocks.unblock(tx, ann.id, bob.id)
    await stage.pump()
    assert await texts(stage, photo) == ["nice"]
    assert await inbox(stage, ann) == ["bob commented on your photo"]


async def test_a_deleted_account_leaves_all_inboxes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The activities of a deleted account leave the inboxes of others at once: likes, follows and requests."""
    monkeypatch.setattr("workers.jobs.inbox.withdrawals.ACTIVITIES_AT_ONCE", 2)
    monkeypatch.setattr("workers.jobs.inbox.inbox._BATCH", 1)
    ann, bob, cat = await new_users(stage.database, "ann", "bob", "cat")
    dan = await new_user(stage.database, "dan", private=True)
    mine = [await ready_photo(stage.database, ann) for _ in range(3)]
    for photo in mine:
        await stage.like(bob, photo)
    await stage.like(cat, mine[0])
    for followee in (ann, cat, dan):
        await follow(stage.database, bob, followee)
    await start_clean(stage, ann, cat, dan)
    async with stage.database.transaction() as tx:
        # An unfollow leaves nothing that the erasure of the follow could start from.
        await follows.unfollow(tx, bob.id, cat.id)
        await users.remove(tx, bob.id)
    await stage.pump()
    assert await inbox(stage, ann) == ["cat liked your photo"]
    assert await inbox(stage, cat) == await inbox(stage, dan) == []
    published = [m for m in await stage.deliveries() if m.body.get("stream") == "notifications"]
    assert [m.document["counters"] for m in published if m.user_id == ann.id][-1] == counters_json(like=(1, 1))
    (removed,) = [m.document for m in published if m.user_id == dan.id]
    assert (removed["type"], removed["counters"]) == ("notification.removed", counters_json())
    left = "SELECT count(*) FROM notification_actors WHERE actor_id = $1"
    assert await stage.database.fetchval(left, bob.id) == 0


async def test_the_erasure_withdraws_what_came_in_after_the_deletion(stage: Stage) -> None:
    """An activity that was recorded while its account was deleted leaves the inbox with the erasure."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    async with stage.database.transaction() as tx:
        await users.remove(tx, bob.id)
    await start_clean(stage, ann)
    async with stage.database.transaction() as tx:
        await tx.execute("UPDATE users SET deleted_at = NULL WHERE id = $1", bob.id)
        await record_notification(
            tx,
            recipient_id=ann.id,
            kind=NotificationKind.LIKE,
            actor_id=bob.id,
            photo_id=photo.id,
            source_id=photo.id,
        )
        await tx.execute("UPDATE users SET deleted_at = now() WHERE id = $1", bob.id)
    async with stage.database.transaction() as tx:
        await erasure.erase(tx, bob.id, grace_minutes=0)
    await stage.pump()
    assert await inbox(stage, ann) == []
    (removed,) = await notification_documents(stage, ann)
    assert removed["type"] == "notification.removed"


async def test_no_activity_is_recorded_for_a_photo_that_is_being_deleted(stage: Stage) -> None:
    """A notification that is recorded while its photo is deleted goes with the photo; a later one is not recorded."""
    ann, bob, cat = await new_users(stage.database, "ann", "bob", "cat")
    photo = await ready_photo(stage.database, ann)
    like: dict[str, Any] = {
        "recipient_id": ann.id,
        "kind": NotificationKind.LIKE,
        "actor_id": bob.id,
        "photo_id": photo.id,
        "source_id": photo.id,
    }

    async def delete() -> None:
        async with stage.database.transaction() as tx:
            await photo_deletion.delete(tx, photo.id, author_id=ann.id)

    async with stage.database.transaction() as tx:
        assert await record_notification(tx, **like)
        deleting = asyncio.create_task(delete())
        await wait_for_blocked_transaction(stage.database)
    await deleting
    assert await inbox(stage, ann) == []
    async with stage.database.transaction() as tx:
        assert await record_notification(tx, **{**like, "actor_id": cat.id}) is None
