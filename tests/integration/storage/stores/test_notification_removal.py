"""Entries about what is deleted leave the inboxes that have them."""

from __future__ import annotations

import pytest

from storage.models import NotificationKind, Photo, User
from storage.postgres.database import Database
from storage.stores import notification_removal
from tests.support.community import new_users, ready_photo, record_notification
from tests.support.inboxes import inbox_of, note_like, note_unlike

pytestmark = pytest.mark.engines


async def liked(database: Database, owner: User, actor: User) -> tuple[Photo, int]:
    """Return a new photo, and the entry of a like of it."""
    photo = await ready_photo(database, owner)
    entry = await note_like(database, photo, actor)
    assert entry is not None
    return photo, entry.id


async def mentioned(database: Database, recipient: User, actor: User, photo: Photo, comment_id: int) -> int:
    """Return the entry of a mention in a comment."""
    async with database.transaction() as tx:
        entry = await record_notification(
            tx,
            recipient_id=recipient.id,
            kind=NotificationKind.MENTION,
            actor_id=actor.id,
            photo_id=photo.id,
            source_id=comment_id,
        )
    assert entry is not None
    return entry.id


async def test_the_given_entries_of_one_inbox_are_deleted_once(database: Database) -> None:
    """Neither other entries nor those of another inbox are, and entries that are deleted already are not returned."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    (_, first), (_, second), (unliked, third) = [await liked(database, ann, cat) for _ in range(3)]
    _, other = await liked(database, ben, cat)
    await note_unlike(database, unliked, cat)
    for removed in ([first], []):
        async with database.transaction() as tx:
            assert await notification_removal.entries(tx, ann.id, [first, third, other]) == removed
    assert [entry.id for user in (ann, ben) for entry in await inbox_of(database, user)] == [second, other]
    assert await database.fetchval("SELECT silent FROM notifications WHERE id = $1", first)


async def test_the_entries_about_a_comment_are_deleted_in_one_inbox(database: Database) -> None:
    """Those about another comment, and those in another inbox, stay."""
    ann, ben, cat, dan = await new_users(database, "ann", "ben", "cat", "dan")
    photo = await ready_photo(database, dan)
    first, second = [await mentioned(database, ann, cat, photo, comment_id) for comment_id in (1, 2)]
    other = await mentioned(database, ben, cat, photo, 1)
    for removed in ([first], []):
        async with database.transaction() as tx:
            assert await notification_removal.about_comment(tx, ann.id, 1) == removed
    assert [entry.id for user in (ann, ben) for entry in await inbox_of(database, user)] == [second, other]


async def test_entries_about_photos_are_found_by_their_recipients(database: Database) -> None:
    """Those about the given photos that are not deleted are, in all inboxes, and as many as asked for."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo, first = await liked(database, ann, ben)
    second, third = [await mentioned(database, user, ben, photo, 1) for user in (ann, cat)]
    other, fourth = await liked(database, ann, ben)
    await liked(database, ann, ben)
    unliked, _ = await liked(database, ann, ben)
    await note_unlike(database, unliked, ben)
    photo_ids = [photo.id, other.id, unliked.id]
    found = await notification_removal.about_photos(database, photo_ids, limit=9)
    assert found == {ann.id: [first, second, fourth], cat.id: [third]}
    some = await notification_removal.about_photos(database, photo_ids, limit=3)
    assert sum(len(entry_ids) for entry_ids in some.values()) == 3
