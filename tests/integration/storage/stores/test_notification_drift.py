"""The check of what entries keep about their actors, and its repair."""

from __future__ import annotations

import pytest

from storage.models import User
from storage.notifications import Notification
from storage.postgres.database import Database
from storage.stores.notifications import notification_drift
from tests.support.community import new_users, ready_photo
from tests.support.inboxes import inbox_of, note_like, note_unlike

pytestmark = pytest.mark.engines


async def liked(database: Database, owner: User, *actors: User) -> Notification:
    """Return the notification of the likes of a new photo."""
    photo = await ready_photo(database, owner)
    for actor in actors:
        entry = await note_like(database, photo, actor)
    assert entry is not None
    return entry


async def test_what_is_right_is_not_wrong(database: Database) -> None:
    """Entries are as their rows say, whoever liked, took back, and liked again."""
    ann, *actors = await new_users(database, "ann", "ben", "cat", "dan", "eve")
    photo = await ready_photo(database, ann)
    for actor in actors:
        await note_like(database, photo, actor)
    await liked(database, ann, *actors[:2])
    await note_unlike(database, photo, actors[1])
    await note_unlike(database, photo, actors[3])
    await note_like(database, photo, actors[3])
    assert await notification_drift.check(database, after=0, limit=9) == ([], None)


async def test_entries_are_checked_page_by_page(database: Database) -> None:
    """Each page has the next entries by id, without deleted ones; the last one is not full."""
    ann, ben = await new_users(database, "ann", "ben")
    made = [(await liked(database, ann, ben)).id for _ in range(5)]
    wrong_number, wrong_actors, deleted, right, last = made
    # Each update moves a row to the end of the table.
    await database.fetch("UPDATE notifications SET people = 7 WHERE id = ANY($1::bigint[])", [deleted, last])
    await database.fetch("UPDATE notifications SET newest_actors = '{}' WHERE id = $1", wrong_actors)
    await database.fetch("UPDATE notifications SET people = 7 WHERE id = $1", wrong_number)
    await database.fetch("UPDATE notifications SET deleted_at = now() WHERE id = $1", deleted)
    first = await notification_drift.check(database, after=0, limit=2)
    assert first == ([(ann.id, wrong_number), (ann.id, wrong_actors)], wrong_actors)
    second = await notification_drift.check(database, after=wrong_actors, limit=2)
    assert second == ([(ann.id, last)], last)
    assert await notification_drift.check(database, after=last, limit=2) == ([], None)
    assert await notification_drift.check(database, after=right, limit=2) == ([(ann.id, last)], None)
    async with database.transaction() as tx:
        # It may have been deleted since its page was checked.
        assert not await notification_drift.repair(tx, recipient_id=ann.id, entry_id=deleted)


async def test_a_repair_changes_one_entry(database: Database) -> None:
    """A repaired entry has the right number; a wrong one beside it stays as it is."""
    ann, ben = await new_users(database, "ann", "ben")
    first, second = [await liked(database, ann, ben) for _ in range(2)]
    await database.fetch("UPDATE notifications SET people = 7 WHERE user_id = $1", ann.id)
    async with database.transaction() as tx:
        assert await notification_drift.repair(tx, recipient_id=ann.id, entry_id=first.id)
        assert not await notification_drift.repair(tx, recipient_id=ann.id, entry_id=first.id)
    rows = await database.fetch("SELECT id, people FROM notifications WHERE user_id = $1", ann.id)
    assert {tuple(row) for row in rows} == {(first.id, 1), (second.id, 7)}


async def test_a_repair_deletes_an_entry_without_actors(database: Database) -> None:
    """An entry that has lost its actors is deleted; another one stays, silently, with its actors."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    empty, kept = await liked(database, ann, ben), await liked(database, ann, ben, cat)
    await database.fetch("DELETE FROM notification_actors WHERE notification_id = $1", empty.id)
    await database.fetch("UPDATE notifications SET newest_actors = '{}' WHERE id = $1", kept.id)
    for entry in (empty, kept):
        async with database.transaction() as tx:
            assert await notification_drift.repair(tx, recipient_id=ann.id, entry_id=entry.id)
    (left,) = await inbox_of(database, ann)
    assert (left.id, left.count, left.silent) == (kept.id, 2, True)
    assert [actor.username for actor in left.actors] == ["cat", "ben"]


async def test_what_a_former_version_has_left_is_repaired(database: Database) -> None:
    """An entry that its recipient has deleted is deleted again, and an activity that returned is not hidden."""
    ann, ben = await new_users(database, "ann", "ben")
    dismissed, hidden = await liked(database, ann, ben), await liked(database, ann, ben)
    await database.fetch("UPDATE notifications SET dismissed_at = now() WHERE id = $1", dismissed.id)
    await database.fetch("UPDATE notification_actors SET hidden = true WHERE notification_id = $1", hidden.id)
    wrong = (await notification_drift.check(database, after=0, limit=9)).wrong
    assert wrong == [(ann.id, dismissed.id), (ann.id, hidden.id)]
    for recipient_id, entry_id in wrong:
        async with database.transaction() as tx:
            assert await notification_drift.repair(tx, recipient_id=recipient_id, entry_id=entry_id)
    assert await notification_drift.check(database, after=0, limit=9) == ([], None)
    assert [entry.id for entry in await inbox_of(database, ann)] == [hidden.id]
