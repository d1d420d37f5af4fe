"""The grouping of activities into entries, in a real database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from storage.notifications import NotificationKind
from storage.postgres.database import Database
from storage.stores.accounts import users
from storage.stores.comments import comments
from storage.stores.notifications import notifications
from storage.stores.photos import photo_processing
from storage.stores.social import blocks
from tests.support.community import (
    block,
    new_users,
    processing_photo,
    ready_photo,
    record_notification,
    retract_notification,
)
from tests.support.inboxes import age_notifications, inbox_of, mark_entries, note_comment, note_like

pytestmark = pytest.mark.engines


async def test_likes_gather(database: Database) -> None:
    """Likes of one photo are grouped into one entry, newest actors first, with a text."""
    ann, *actors = await new_users(database, "ann", "ben", "cat", "dan", "eve")
    photo = await ready_photo(database, ann)
    texts = []
    for actor in actors:
        entry = await note_like(database, photo, actor)
        assert entry is not None
        texts.append(entry.text)
    assert texts == [
        "ben liked your photo",
        "cat and ben liked your photo",
        "dan and 2 others liked your photo",
        "eve and 3 others liked your photo",
    ]
    (entry,) = await inbox_of(database, ann)
    assert (entry.count, [user.username for user in entry.actors]) == (4, ["eve", "dan", "cat"])
    assert (entry.photo_id, entry.user_id, entry.id & 1023) == (photo.id, ann.id, ann.id & 1023)


async def test_repeat_changes_nothing(database: Database) -> None:
    """A repeated activity returns the unchanged entry, even after it was read."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    first = await note_like(database, photo, ben)
    await mark_entries(database, ann, "seen")
    repeat = await note_like(database, photo, ben)
    assert first is not None
    assert repeat is not None
    assert (repeat.id, repeat.position, repeat.count, repeat.seen) == (first.id, first.position, 1, True)
    await mark_entries(database, ann, "read")
    after = await note_like(database, photo, ben)
    assert after is not None
    assert after.id == first.id
    assert len(await inbox_of(database, ann)) == 1


async def test_new_activity_moves_the_entry_to_the_top_unseen(database: Database) -> None:
    """An entry with another activity is first and unseen again; pages have neither gaps nor repeats."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    first, second = await ready_photo(database, ann), await ready_photo(database, ann)
    for photo in (first, second):
        await note_like(database, photo, ben)
    await mark_entries(database, ann, "seen")
    await note_like(database, first, cat)
    top, below = await inbox_of(database, ann)
    assert ([top.photo_id, below.photo_id], top.seen, below.seen) == ([first.id, second.id], False, True)
    assert top.updated_at > top.created_at
    page = await notifications.inbox(database, ann.id, before=top.position, limit=9)
    assert [entry.id for entry in page] == [below.id]


async def test_read_entry_is_closed(database: Database) -> None:
    """After an entry was read the next activity creates another one."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    first = await note_like(database, photo, ben)
    await mark_entries(database, ann, "read")
    second = await note_like(database, photo, cat)
    assert first is not None
    assert second is not None
    assert second.id != first.id
    assert second.count == 1
    assert [entry.read for entry in await inbox_of(database, ann)] == [False, True]


async def test_likes_at_once_are_one_entry(database: Database) -> None:
    """Concurrent likes are one entry with all actors."""
    ann, *actors = await new_users(database, *"abcdefg")
    photo = await ready_photo(database, ann)
    await asyncio.gather(*(note_like(database, photo, actor) for actor in actors * 2))
    (entry,) = await inbox_of(database, ann)
    assert entry.count == len(actors)


async def test_follows_are_grouped_without_a_photo(database: Database) -> None:
    """Activities without a photo are grouped as well, and retracted one by one."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    acts: list[dict[str, Any]] = [
        {"recipient_id": ann.id, "kind": NotificationKind.FOLLOW, "actor_id": actor.id, "source_id": actor.id}
        for actor in (ben, cat)
    ]
    async with database.transaction() as tx:
        for act in acts * 2:
            await record_notification(tx, photo_id=None, **act)
    (entry,) = await inbox_of(database, ann)
    assert (entry.text, entry.photo_id) == ("cat and ben started following you", None)
    async with database.transaction() as tx:
        assert await retract_notification(tx, photo_id=None, **acts[0]) == entry.id
    assert [left.text for left in await inbox_of(database, ann)] == ["cat started following you"]


async def test_comments_are_not_grouped(database: Database) -> None:
    """Each comment is a notification of its own, with the comment's id and its beginning in one line."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    texts = ["first\nline", "x" * 140, "y" * 141]
    written = []
    for text in texts:
        async with database.transaction() as tx:
            comment, _ = await comments.add(tx, photo_id=photo.id, author_id=ben.id, text=text)
        written.append(comment.id)
        entry = await note_comment(database, photo, ben, comment.id)
        assert entry is not None
        assert (entry.count, entry.text) == (1, "ben commented on your photo")
    shown = [entry.comment for entry in reversed(await inbox_of(database, ann))]
    assert [item.id for item in shown if item] == written
    assert [item.excerpt for item in shown if item] == ["first line", "x" * 140, "y" * 139 + "…"]
    async with database.transaction() as tx:
        await retract_notification(
            tx,
            recipient_id=ann.id,
            kind=NotificationKind.COMMENT,
            actor_id=ben.id,
            photo_id=photo.id,
            source_id=written[1],
        )
    left = [entry.comment.id for entry in await inbox_of(database, ann) if entry.comment]
    assert left == [written[2], written[0]]


async def test_a_group_closes_after_a_day(database: Database) -> None:
    """An unread entry takes activities for 24 hours; a later one creates another entry, and closes no other group."""
    ann, ben, cat, dan = await new_users(database, "ann", "ben", "cat", "dan")
    photo, other = await ready_photo(database, ann), await ready_photo(database, ann)
    first = await note_like(database, photo, ben)
    await age_notifications(database, hours=23)
    second = await note_like(database, photo, cat)
    await age_notifications(database, hours=2)
    await note_like(database, other, ben)
    third = await note_like(database, photo, dan)
    await note_like(database, other, cat)
    assert first is not None
    assert second is not None
    assert third is not None
    assert second.id == first.id != third.id
    assert [entry.count for entry in await inbox_of(database, ann)] == [2, 1, 2]


async def test_kinds_and_inboxes_have_groups_of_their_own(database: Database) -> None:
    """The same actor is in one entry for each kind and each recipient of a shard, and is retracted from each alone."""
    ann, cat, ben = await new_users(database, "ann", "cat", "ben")
    kinds = (NotificationKind.FOLLOW, NotificationKind.FOLLOW_REQUEST, NotificationKind.FOLLOW_ACCEPTED)
    for recipient in (ann, cat):
        for kind in kinds:
            async with database.transaction() as tx:
                entry = await record_notification(
                    tx, recipient_id=recipient.id, kind=kind, actor_id=ben.id, photo_id=None, source_id=ben.id
                )
            assert entry is not None
            assert (entry.kind, entry.count) == (kind, 1)
    for recipient in (ann, cat):
        assert [entry.kind for entry in reversed(await inbox_of(database, recipient))] == [*kinds]
    for recipient in (ann, cat):
        for kind in kinds:
            async with database.transaction() as tx:
                assert await retract_notification(
                    tx, recipient_id=recipient.id, kind=kind, actor_id=ben.id, photo_id=None, source_id=ben.id
                )
        assert await inbox_of(database, recipient) == []


async def test_a_position_only_grows(database: Database) -> None:
    """An entry moves to the top also where its position is greater than a new id, after a clock has stepped back."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    await note_like(database, photo, ben)
    ahead: int = await database.fetchval(
        "UPDATE notifications SET position = position + (1::bigint << 40) WHERE user_id = $1 RETURNING position", ann.id
    )
    entry = await note_like(database, photo, cat)
    assert entry is not None
    assert entry.position == ahead + 1


async def test_rejection_is_recorded_once_with_its_reason(database: Database) -> None:
    """The rejection of a photo is one notification without an actor, with the reason."""
    (ann,) = await new_users(database, "ann")
    photo = await processing_photo(database, ann)
    async with database.transaction() as tx:
        await photo_processing.mark_rejected(tx, photo.id, reason="the file is damaged")
        for _ in range(2):
            entry = await record_notification(
                tx,
                recipient_id=ann.id,
                kind=NotificationKind.PHOTO_REJECTED,
                actor_id=None,
                photo_id=photo.id,
                source_id=photo.id,
            )
    assert entry is not None
    assert (entry.text, entry.count, entry.actors) == ("Your photo could not be shown: the file is damaged", 0, ())
    assert len(await inbox_of(database, ann)) == 1


@pytest.mark.parametrize("case", ["own act", "muted", "blocked", "blocking", "recipient gone", "actor gone"])
async def test_activities_that_are_not_recorded(database: Database, case: str) -> None:
    """Activities of the recipient, and of muted, blocked, blocking or deleted users, are not recorded."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    async with database.transaction() as tx:
        if case == "muted":
            await blocks.mute(tx, ann.id, ben.id)
        elif case.endswith("gone"):
            await users.remove(tx, (ann if case.startswith("recipient") else ben).id)
    if case.startswith("block"):
        await block(database, *((ann, ben) if case == "blocked" else (ben, ann)))
    assert await note_like(database, photo, ann if case == "own act" else ben) is None
    assert await inbox_of(database, ann) == []
