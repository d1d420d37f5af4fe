"""The actors of entries: their number, the newest, and the removal of one, in a real database."""

from __future__ import annotations

import pytest

from storage.notifications import NotificationKind
from storage.postgres.database import Database
from storage.stores.notifications import notification_actors, notification_drift
from storage.stores.photos import photo_deletion
from tests.support.community import (
    new_users,
    ready_photo,
    retract_notification,
)
from tests.support.inboxes import inbox_of, note_comment, note_like, note_unlike

pytestmark = pytest.mark.engines


async def test_several_activities_of_one_actor_count_once(database: Database) -> None:
    """In a group of comments, as an earlier version made them, an actor counts until the last comment is retracted."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    entry = await note_comment(database, photo, ben, 1)
    assert entry is not None
    await database.fetch("UPDATE notifications SET closed_at = NULL")
    seen = []
    for actor, comment_id in ((cat, 2), (ben, 3), (ben, 4)):
        added = await note_comment(database, photo, actor, comment_id)
        assert added is not None
        seen.append((added.id, added.count, [user.username for user in added.actors]))
    assert seen == [(entry.id, 2, ["cat", "ben"]), (entry.id, 2, ["ben", "cat"]), (entry.id, 2, ["ben", "cat"])]
    left = []
    for comment_id in (4, 3, 1):
        async with database.transaction() as tx:
            await retract_notification(
                tx,
                recipient_id=ann.id,
                kind=NotificationKind.COMMENT,
                actor_id=ben.id,
                photo_id=photo.id,
                source_id=comment_id,
            )
        (shown,) = await inbox_of(database, ann)
        left.append((shown.count, [user.username for user in shown.actors]))
    assert left == [(2, ["ben", "cat"]), (2, ["cat", "ben"]), (1, ["cat"])]
    again = await note_comment(database, photo, ben, 3)
    assert again is not None
    assert (again.count, again.silent) == (2, True)
    again = await note_comment(database, photo, ben, 4)
    assert again is not None
    assert (again.count, again.silent) == (2, True)


async def test_an_entry_without_rows_of_actors_takes_an_activity(database: Database) -> None:
    """An entry whose rows of actors are lost, which the janitor finds within a day, moves to the top as any other."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    first = await note_like(database, photo, ben)
    await database.fetch("DELETE FROM notification_actors")
    second = await note_like(database, photo, cat)
    assert first is not None
    assert second is not None
    assert second.id == first.id
    assert [user.username for user in second.actors] == ["cat", "ben"]


async def test_an_actor_leaves_deleted_and_retracted_activities_silently(database: Database) -> None:
    """Removing a user's activities returns the entries that have changed, and brings none back that is deleted."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    gone, kept, retracted = [await ready_photo(database, ann) for _ in range(3)]
    for photo in (gone, kept, retracted):
        for actor in (ben, cat):
            await note_like(database, photo, actor)
    await note_unlike(database, retracted, ben)
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, gone.id, author_id=ann.id)
    before = await inbox_of(database, ann)
    async with database.transaction() as tx:
        found = await notification_actors.entries_of(tx, ben.id, recipient_id=ann.id, limit=9)
        assert len(found[ann.id]) == 3
        changed = await notification_actors.retract_actor(
            tx, recipient_id=ann.id, actor_id=ben.id, entry_ids=found[ann.id]
        )
        assert await notification_actors.entries_of(tx, ben.id, limit=9) == {}
    assert changed == [entry.id for entry in before if entry.photo_id == kept.id]
    assert [(entry.id, entry.count, entry.text) for entry in await inbox_of(database, ann)] == [
        (entry.id, 1, "cat liked your photo") for entry in before
    ]


async def test_a_new_actor_is_the_newest_also_after_the_clock_has_stepped_back(database: Database) -> None:
    """An activity is the newest although PostgreSQL's clock has stepped back to before the times of the others."""
    ann, ben, cat, dan = await new_users(database, "ann", "ben", "cat", "dan")
    photo = await ready_photo(database, ann)
    await note_like(database, photo, cat)
    await database.fetch("UPDATE notification_actors SET created_at = now() + interval '1 hour'")
    for actor in (dan, ben):
        await note_like(database, photo, actor)
    await note_unlike(database, photo, dan)
    (entry,) = await inbox_of(database, ann)
    assert [user.username for user in entry.actors] == ["ben", "cat"]


async def test_actors_of_one_moment_are_in_the_order_of_their_ids(database: Database) -> None:
    """Of actors with the same time, the one with the greatest id is the newest."""
    ann, *actors = await new_users(database, "ann", "ben", "cat", "dan", "eve")
    photo = await ready_photo(database, ann)
    for actor in actors:
        await note_like(database, photo, actor)
    await database.fetch("UPDATE notification_actors SET created_at = now()")
    await note_unlike(database, photo, actors[3])
    (entry,) = await inbox_of(database, ann)
    assert [user.username for user in entry.actors] == ["dan", "cat", "ben"]
    assert (await notification_drift.check(database, after=0, limit=9)).wrong == []


async def test_a_user_leaves_the_given_entries_of_one_inbox(database: Database) -> None:
    """Entries that were not asked for, and those of another inbox in the same shard, keep their actors."""
    ann, cat, ben = await new_users(database, "ann", "cat", "ben")
    mine = [await note_like(database, await ready_photo(database, ann), ben) for _ in range(2)]
    other = await note_like(database, await ready_photo(database, cat), ben)
    first, second = (entry.id for entry in mine if entry is not None)
    assert other is not None
    async with database.transaction() as tx:
        found = await notification_actors.entries_of(tx, ben.id, recipient_id=ann.id, limit=9)
        assert found == {ann.id: [first, second]}
        assert await notification_actors.entries_of(tx, cat.id, recipient_id=ann.id, limit=9) == {}
        everywhere = await notification_actors.entries_of(tx, ben.id, limit=9)
        assert everywhere == {ann.id: [first, second], cat.id: [other.id]}
        changed = await notification_actors.retract_actor(
            tx, recipient_id=ann.id, actor_id=ben.id, entry_ids=[first, other.id]
        )
    assert changed == [first]
    assert [entry.id for user in (ann, cat) for entry in await inbox_of(database, user)] == [second, other.id]
