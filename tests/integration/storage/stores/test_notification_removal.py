"""Entries that their recipients delete, and those about what is deleted, leave the inboxes that have them."""

from __future__ import annotations

import pytest

from storage.errors import NotFoundError
from storage.models import Photo, User
from storage.notifications import NotificationKind
from storage.postgres.database import Database
from storage.stores.notifications import notification_marks, notification_removal
from storage.stores.notifications.notification_marks import Selection
from storage.stores.photos import photo_deletion
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


async def test_what_its_recipient_has_deleted_stays_deleted(database: Database) -> None:
    """Whatever becomes of its likes: they leave the entry and return unseen, and a new one begins another entry."""
    ann, ben, cat, dan = await new_users(database, "ann", "ben", "cat", "dan")
    photo, entry_id = await liked(database, ann, ben)
    await note_like(database, photo, cat)
    await note_unlike(database, photo, cat)
    for removed in (True, False):
        async with database.transaction() as tx:
            assert await notification_removal.dismiss(tx, ann.id, entry_id) is removed
    for actor in (cat, ben):
        await note_like(database, photo, actor)
        assert await inbox_of(database, ann) == []
        assert await note_unlike(database, photo, actor) is None
        await note_like(database, photo, actor)
        assert await inbox_of(database, ann) == []
    await note_like(database, photo, dan)
    (entry,) = await inbox_of(database, ann)
    assert (entry.text, entry.id == entry_id) == ("dan liked your photo", False)
    assert await notification_removal.dismissed(database, ann.id, limit=9) == [entry_id]
    with pytest.raises(NotFoundError):
        async with database.transaction() as tx:
            await notification_removal.dismiss(tx, ben.id, entry.id)


async def test_a_deletion_can_be_undone_for_an_hour(database: Database) -> None:
    """The entry is back with its likes; not later, not of another inbox, and not without a like or the photo."""
    ann, ben = await new_users(database, "ann", "ben")
    (_, kept), (_, late), (unliked, empty), (gone, about_gone) = [await liked(database, ann, ben) for _ in range(4)]
    async with database.transaction() as tx:
        for entry_id in (kept, late, empty, about_gone):
            await notification_removal.dismiss(tx, ann.id, entry_id)
        await tx.execute("UPDATE notifications SET dismissed_at = now() - interval '61 minutes' WHERE id = $1", late)
        await photo_deletion.delete(tx, gone.id, author_id=ann.id)
    await note_unlike(database, unliked, ben)
    for user, entry_id in ((ann, late), (ann, empty), (ann, about_gone), (ben, kept)):
        with pytest.raises(NotFoundError):
            async with database.transaction() as tx:
                await notification_removal.undo(tx, user.id, entry_id)
    async with database.transaction() as tx:
        await notification_removal.undo(tx, ann.id, kept)
    (entry,) = await inbox_of(database, ann)
    assert (entry.id, entry.text, entry.seen, entry.silent) == (kept, "ben liked your photo", False, True)


async def test_only_chosen_entries_that_are_read_are_deleted(database: Database) -> None:
    """Unread ones stay, those of other kinds, of later positions and of other inboxes, and those beyond the limit."""
    ann, ben = await new_users(database, "ann", "ben")
    made = [(await liked(database, ann, ben))[1] for _ in range(4)]
    _, other = await liked(database, ben, ann)
    async with database.transaction() as tx:
        await notification_marks.mark_read(tx, ann.id, Selection(made[:3]))
        await notification_marks.mark_read(tx, ben.id, Selection([other]))
    position = next(entry.position for entry in await inbox_of(database, ann) if entry.id == made[1])

    async def delete(chosen: Selection, *, limit: int = 9) -> int:
        async with database.transaction() as tx:
            return await notification_removal.dismiss_read(tx, ann.id, chosen, limit=limit)

    assert await delete(Selection(kinds=[NotificationKind.FOLLOW])) == 0
    assert await delete(Selection(up_to=position), limit=1) == 1
    assert await delete(Selection(up_to=position)) == 1
    assert [entry.id for entry in await inbox_of(database, ann)] == [made[3], made[2]]
    assert await delete(Selection(kinds=[NotificationKind.LIKE])) == 1
    assert [entry.id for user in (ann, ben) for entry in await inbox_of(database, user)] == [made[3], other]
