"""The inbox as its user reads it, in a real database."""

from __future__ import annotations

import pytest

from storage.models import UserSummary
from storage.postgres.database import Database
from storage.stores.accounts import users
from storage.stores.comments import comment_deletion, comments
from storage.stores.notifications import notification_counters, notifications
from storage.stores.photos import photo_deletion
from tests.support.community import (
    new_users,
    ready_photo,
)
from tests.support.inboxes import counters, inbox_of, note_comment, note_like, note_unlike

pytestmark = pytest.mark.engines


async def test_deleted_photo_leaves_the_inbox(database: Database) -> None:
    """The notifications about a photo are deleted with it, and no longer counted."""
    ann, ben = await new_users(database, "ann", "ben")
    gone, kept = await ready_photo(database, ann), await ready_photo(database, ann)
    for photo in (gone, kept):
        await note_like(database, photo, ben)
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, gone.id, author_id=ann.id)
    assert [entry.photo_id for entry in await inbox_of(database, ann)] == [kept.id]
    assert await notification_counters.read(database, ann.id) == counters(like=(1, 1))


async def test_a_deleted_photo_ends_its_own_notifications(database: Database) -> None:
    """Activities about other photos of its owner are recorded as before."""
    ann, ben = await new_users(database, "ann", "ben")
    photo, deleted = await ready_photo(database, ann), await ready_photo(database, ann)
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, deleted.id, author_id=ann.id)
    assert await note_like(database, deleted, ben) is None
    assert await note_like(database, photo, ben) is not None


async def test_a_comment_is_not_shown_once_it_or_its_author_is_deleted(database: Database) -> None:
    """Until it is withdrawn, the notification of a deleted comment has no excerpt; that of a deleted author is gone."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    for actor in (ben, cat):
        async with database.transaction() as tx:
            comment, _ = await comments.add(tx, photo_id=photo.id, author_id=actor.id, text="nice")
        entry = await note_comment(database, photo, actor, comment.id)
        assert entry is not None
        assert entry.comment is not None
        async with database.transaction() as tx:
            if actor is ben:
                await comment_deletion.delete(tx, comment.id, user_id=actor.id)
            else:
                await users.remove(tx, actor.id)
    assert [(entry.text, entry.comment) for entry in await inbox_of(database, ann)] == [
        ("ben commented on your photo", None)
    ]


async def test_accounts_that_are_known_are_not_read_again(database: Database) -> None:
    """The state of an entry has the accounts that were read before, and those that were not."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    for actor in (ben, cat):
        entry = await note_like(database, photo, actor)
    assert entry is not None
    known = UserSummary(id=ben.id, username="known", display_name="", avatar_sha256=None)
    for accounts, names in (({}, ["cat", "ben"]), ({ben.id: known}, ["cat", "known"])):
        state = await notifications.inbox_state(database, ann.id, entry.id, accounts=accounts)
        assert state.entry is not None
        assert [actor.username for actor in state.entry.actors] == names


async def test_the_state_of_an_inbox_is_its_own(database: Database) -> None:
    """Entries are found in the inbox of their recipient alone, and not once they are deleted; so is the newest one."""
    ann, cat, ben = await new_users(database, "ann", "cat", "ben")
    made = []
    for owner in (ann, ann, ann, cat):
        photo = await ready_photo(database, owner)
        entry = await note_like(database, photo, ben)
        assert entry is not None
        made.append(entry)
        if len(made) == 3:
            await note_unlike(database, photo, ben)
    first, second, gone, other = made
    ids = [entry.id for entry in made]
    assert set(await notifications.by_ids(database, ann.id, ids)) == {first.id, second.id}
    assert set(await notifications.by_ids(database, ann.id, [first.id])) == {first.id}
    two, one = counters(like=(2, 2)), counters(like=(1, 1))
    for entry, shown in ((first, first.id), (second, second.id), (gone, None), (other, None)):
        state = await notifications.inbox_state(database, ann.id, entry.id)
        assert (state.entry.id if state.entry else None, state.counters) == (shown, two)
    for user, newest, wanted in ((ann, second, two), (cat, other, one)):
        assert await notification_counters.with_newest(database, user.id) == (wanted, newest.position)
    assert await notification_counters.with_newest(database, ben.id) == (counters(), None)
