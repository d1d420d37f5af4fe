"""Activities that are retracted and come back, in a real database."""

from __future__ import annotations

import pytest

from storage.models import User
from storage.notifications import Activity, NotificationKind
from storage.postgres.database import Database
from storage.stores.notifications import notification_counters, notification_groups
from storage.stores.notifications.notification_lookup import look_up
from storage.stores.photos import photo_deletion
from tests.support.community import (
    new_users,
    ready_photo,
    retract_notification,
)
from tests.support.inboxes import (
    age_notifications,
    counters,
    inbox_of,
    mark_entries,
    note_comment,
    note_like,
    note_unlike,
)

pytestmark = pytest.mark.engines


@pytest.mark.parametrize("mark", [None, "seen", "read"])
async def test_an_activity_that_comes_back_is_no_news(database: Database, mark: str | None) -> None:
    """A retracted activity that is repeated within a day neither moves its entry to the top nor makes it unseen."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo, other = await ready_photo(database, ann), await ready_photo(database, ann)
    first = await note_like(database, photo, ben)
    await note_like(database, other, cat)
    if mark is not None:
        await mark_entries(database, ann, mark)
    for _ in range(3):
        await note_unlike(database, photo, ben)
        again = await note_like(database, photo, ben)
    assert first is not None
    assert again is not None
    assert (again.id, again.position, again.count, again.silent) == (first.id, first.position, 1, True)
    assert (again.seen, again.read) == (mark is not None, mark == "read")
    assert [actor.username for actor in again.actors] == ["ben"]


async def test_an_activity_that_comes_back_after_a_day_is_news(database: Database) -> None:
    """A retracted activity that is repeated later than a day after the first time is a notification of its own."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    first = await note_like(database, photo, ben)
    await note_unlike(database, photo, ben)
    await age_notifications(database, hours=25)
    again = await note_like(database, photo, ben)
    assert first is not None
    assert again is not None
    assert (again.id == first.id, again.silent, again.count) == (False, False, 1)
    await note_unlike(database, photo, ben)
    back = await note_like(database, photo, ben)
    assert back is not None
    assert (back.id, back.silent, back.count) == (again.id, True, 1)


async def test_an_activity_comes_back_into_the_entry_that_others_have_opened(database: Database) -> None:
    """If the entry of a retracted activity is gone, the activity comes back into the group's open entry, silently."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    await note_like(database, photo, ben)
    await note_unlike(database, photo, ben)
    opened = await note_like(database, photo, cat)
    again = await note_like(database, photo, ben)
    assert opened is not None
    assert again is not None
    assert (again.id, again.position, again.count, again.silent) == (opened.id, opened.position, 2, True)
    await note_unlike(database, photo, ben)
    await age_notifications(database, hours=25)
    late = await note_like(database, photo, ben)
    assert late is not None
    assert (late.count, late.silent) == (1, False)


async def test_an_activity_returns_to_an_open_entry_that_is_younger(database: Database) -> None:
    """An activity older than a day is news again, also where its row is in an entry that is still open."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    await note_like(database, photo, ben)
    await note_unlike(database, photo, ben)
    await age_notifications(database, hours=23)
    opened = await note_like(database, photo, cat)
    await note_like(database, photo, ben)
    await note_unlike(database, photo, ben)
    await age_notifications(database, hours=2)
    again = await note_like(database, photo, ben)
    assert opened is not None
    assert again is not None
    assert (again.id, again.count, again.silent) == (opened.id, 2, False)
    assert again.position > opened.position


async def test_retract(database: Database) -> None:
    """Retracting removes the actor, the last one deletes the entry, and an unknown activity changes nothing."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    entry = await note_like(database, photo, ben)
    await note_like(database, photo, cat)
    assert entry is not None
    assert await note_unlike(database, photo, cat) == entry.id
    (left,) = await inbox_of(database, ann)
    assert left.text == "ben liked your photo"
    assert await note_unlike(database, photo, ben) == entry.id
    assert await inbox_of(database, ann) == []
    assert await notification_counters.read(database, ann.id) == counters()
    assert await note_unlike(database, photo, ben) is None
    again = await note_like(database, photo, ben)
    assert again is not None
    assert again.count == 1


async def test_one_of_several_activities_comes_back_where_its_actor_counts_already(database: Database) -> None:
    """An actor with another activity in the entry is not counted again: neither where it was, nor in an open entry."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)

    async def comment(actor: User, comment_id: int) -> tuple[int, int]:
        entry = await note_comment(database, photo, actor, comment_id)
        assert entry is not None
        # As an earlier version grouped them.
        await database.fetch("UPDATE notifications SET closed_at = NULL WHERE read_at IS NULL")
        return entry.id, entry.count

    async def retract(comment_id: int) -> None:
        async with database.transaction() as tx:
            await retract_notification(
                tx,
                recipient_id=ann.id,
                kind=NotificationKind.COMMENT,
                actor_id=ben.id,
                photo_id=photo.id,
                source_id=comment_id,
            )

    first, _ = await comment(ben, 1)
    assert await comment(ben, 2) == (first, 1)
    await mark_entries(database, ann, "read")
    second, _ = await comment(cat, 3)
    await retract(1)
    assert await comment(ben, 1) == (first, 1)
    for comment_id in (1, 2):
        await retract(comment_id)
    assert await comment(ben, 4) == (second, 2)
    assert await comment(ben, 1) == (second, 2)


async def test_an_activity_comes_back_where_it_was(database: Database) -> None:
    """An activity whose entry was read, and has other actors, comes back there and not in the open entry of others."""
    ann, ben, cat, dan = await new_users(database, "ann", "ben", "cat", "dan")
    photo = await ready_photo(database, ann)
    for actor in (ben, dan):
        first = await note_like(database, photo, actor)
    await mark_entries(database, ann, "read")
    opened = await note_like(database, photo, cat)
    for _ in range(2):
        await note_unlike(database, photo, ben)
    again = await note_like(database, photo, ben)
    assert first is not None
    assert opened is not None
    assert again is not None
    assert (again.id, again.count) == (first.id, 2)
    assert [entry.count for entry in await inbox_of(database, ann)] == [1, 2]


async def test_an_activity_is_retracted_once(database: Database) -> None:
    """A second retraction changes nothing. That of PicShare's own notification, which has no actor, removes it."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    for actor in (ben, cat):
        entry = await note_like(database, photo, actor)
    assert entry is not None
    assert [await note_unlike(database, photo, ben) for _ in range(2)] == [entry.id, None]
    rejection = Activity(
        recipient_id=ann.id,
        kind=NotificationKind.PHOTO_REJECTED,
        actor_id=None,
        photo_id=photo.id,
        source_id=photo.id,
    )
    async with database.transaction() as tx:
        await notification_groups.record(tx, rejection, await look_up(tx, rejection))
    assert [entry.count for entry in await inbox_of(database, ann)] == [0, 1]
    async with database.transaction() as tx:
        assert await notification_groups.retract(tx, rejection, await look_up(tx, rejection)) is not None
        assert await notification_groups.retract(tx, rejection, await look_up(tx, rejection)) is None
    assert [entry.count for entry in await inbox_of(database, ann)] == [1]


async def test_nothing_is_retracted_from_an_entry_that_is_deleted(database: Database) -> None:
    """The activities of a deleted photo's entry are not retracted one by one."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    await note_like(database, photo, ben)
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=ann.id)
    assert await note_unlike(database, photo, ben) is None
