"""Marks and counters of an inbox, in a real database."""

from __future__ import annotations

import pytest

from storage.notifications import NotificationMark
from storage.postgres.database import Database
from storage.stores.notifications import notification_counters, notification_marks, notifications
from storage.stores.notifications.notification_marks import Selection
from tests.support.community import (
    new_users,
    ready_photo,
)
from tests.support.inboxes import counters, inbox_of, mark_entries, note_like, note_unlike

pytestmark = pytest.mark.engines


async def test_counters_and_marks(database: Database) -> None:
    """Seen resets the badge, read implies seen, and users can neither mark nor read the entries of others."""
    ann, ben = await new_users(database, "ann", "ben")
    entries = []
    for _ in range(3):
        entry = await note_like(database, await ready_photo(database, ann), ben)
        assert entry is not None
        entries.append(entry.id)
    assert await notification_counters.read(database, ann.id) == counters(like=(3, 3))
    newest = (await inbox_of(database, ann))[0].position
    assert await notification_counters.with_newest(database, ann.id) == (
        counters(like=(3, 3)),
        newest,
    )
    assert await mark_entries(database, ann, "seen", entries[:1]) == 1
    assert await mark_entries(database, ann, "read", entries[1:2]) == 1
    assert await notification_counters.read(database, ann.id) == counters(like=(1, 2))
    assert await mark_entries(database, ben, "read", entries) == 0
    assert await notifications.by_ids(database, ben.id, entries) == {}
    assert set(await notifications.by_ids(database, ann.id, entries)) == set(entries)
    assert await mark_entries(database, ann, "seen") == 1
    assert await mark_entries(database, ann, "read") == 2
    assert await notification_counters.read(database, ann.id) == counters()
    assert await notification_counters.with_newest(database, ann.id) == (
        counters(),
        newest,
    )


@pytest.mark.parametrize("what", ["seen", "read"])
async def test_a_mark_does_not_touch_other_inboxes(database: Database, what: str) -> None:
    """Marking all notifications, or those with given ids, changes the user's own only."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    mine = await note_like(database, await ready_photo(database, ann), cat)
    yours = await note_like(database, await ready_photo(database, ben), cat)
    assert mine is not None
    assert yours is not None
    assert await mark_entries(database, ben, what, [mine.id]) == 0
    assert await mark_entries(database, ben, what) == 1
    assert await notification_counters.read(database, ann.id) == counters(like=(1, 1))


@pytest.mark.parametrize("what", ["seen", "read"])
@pytest.mark.parametrize("by_id", [False, True])
async def test_a_mark_of_an_older_view_does_not_hide_a_newer_like(database: Database, what: str, by_id: bool) -> None:
    """A mark up to a position leaves an entry alone that has been moved beyond it by another activity."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo, other = await ready_photo(database, ann), await ready_photo(database, ann)
    await note_like(database, photo, ben)
    await note_like(database, other, ben)
    top, _ = shown = await inbox_of(database, ann)
    await note_like(database, photo, cat)
    assert (
        await mark_entries(database, ann, what, [entry.id for entry in shown] if by_id else None, up_to=top.position)
        == 1
    )
    liked, seen = await inbox_of(database, ann)
    assert (liked.photo_id, liked.seen, liked.read) == (photo.id, False, False)
    assert (seen.seen, seen.read) == (True, what == "read")


async def test_marks_are_looked_up_at_the_top(database: Database) -> None:
    """Of the entries with the highest positions, those with the mark are returned."""
    ann, ben = await new_users(database, "ann", "ben")
    older = await note_like(database, await ready_photo(database, ann), ben)
    assert older is not None
    async with database.transaction() as tx:
        await notification_marks.mark_seen(tx, ann.id, Selection([older.id]))
    newer = await note_like(database, await ready_photo(database, ann), ben)
    assert newer is not None
    assert await notification_marks.marked(database, ann.id, NotificationMark.SEEN, limit=1) == []
    assert await notification_marks.marked(database, ann.id, NotificationMark.SEEN, limit=2) == [older.id]
    assert await notification_marks.marked(database, ann.id, NotificationMark.READ, limit=2) == []
    # Neither the inboxes of others nor deleted entries take a place.
    await note_like(database, await ready_photo(database, ben), ann)
    gone = await ready_photo(database, ann)
    for act in (note_like, note_unlike):
        await act(database, gone, ben)
    assert await mark_entries(database, ann, "seen") == 1
    assert await notification_marks.marked(database, ann.id, NotificationMark.SEEN, limit=1) == [newer.id]
    assert await mark_entries(database, ann, "read", [older.id]) == 1
    assert await notification_marks.marked(database, ann.id, NotificationMark.READ, limit=2) == [older.id]
