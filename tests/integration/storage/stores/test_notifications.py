"""The inbox in a real database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from storage.models import (
    Activity,
    Notification,
    NotificationCounters,
    NotificationKind,
    NotificationMark,
    Photo,
    User,
    UserSummary,
)
from storage.postgres.database import Database
from storage.stores import (
    blocks,
    comment_deletion,
    comments,
    notification_drift,
    notification_groups,
    notification_marks,
    notifications,
    photo_deletion,
    photo_processing,
    users,
)
from storage.stores.notification_lookup import look_up
from tests.support.community import (
    block,
    new_users,
    processing_photo,
    ready_photo,
    record_notification,
    retract_notification,
)
from tests.support.inboxes import inbox_of, note_like, note_unlike

pytestmark = pytest.mark.engines


async def _comment(database: Database, photo: Photo, actor: User, comment_id: int) -> Notification | None:
    async with database.transaction() as tx:
        return await record_notification(
            tx,
            recipient_id=photo.author.id,
            kind=NotificationKind.COMMENT,
            actor_id=actor.id,
            photo_id=photo.id,
            source_id=comment_id,
        )


async def _mark(
    database: Database, user: User, what: str, entry_ids: list[int] | None = None, *, up_to: int | None = None
) -> int:
    mark = notification_marks.mark_read if what == "read" else notification_marks.mark_seen
    async with database.transaction() as tx:
        return await mark(tx, user.id, entry_ids, up_to=up_to)


async def _age(database: Database, *, hours: int) -> None:
    """Make all notifications older."""
    await database.fetch("UPDATE notifications SET created_at = created_at - make_interval(hours => $1)", hours)
    await database.fetch("UPDATE notification_actors SET created_at = created_at - make_interval(hours => $1)", hours)


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
    await _mark(database, ann, "seen")
    repeat = await note_like(database, photo, ben)
    assert first is not None
    assert repeat is not None
    assert (repeat.id, repeat.position, repeat.count, repeat.seen) == (first.id, first.position, 1, True)
    await _mark(database, ann, "read")
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
    await _mark(database, ann, "seen")
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
    await _mark(database, ann, "read")
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


async def test_deleted_photo_leaves_the_inbox(database: Database) -> None:
    """The notifications about a photo are deleted with it, and no longer counted."""
    ann, ben = await new_users(database, "ann", "ben")
    gone, kept = await ready_photo(database, ann), await ready_photo(database, ann)
    for photo in (gone, kept):
        await note_like(database, photo, ben)
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, gone.id, author_id=ann.id)
    assert [entry.photo_id for entry in await inbox_of(database, ann)] == [kept.id]
    assert await notifications.counters(database, ann.id) == NotificationCounters(unseen=1, unread=1)


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
        entry = await _comment(database, photo, ben, comment.id)
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
    await _age(database, hours=23)
    second = await note_like(database, photo, cat)
    await _age(database, hours=2)
    await note_like(database, other, ben)
    third = await note_like(database, photo, dan)
    await note_like(database, other, cat)
    assert first is not None
    assert second is not None
    assert third is not None
    assert second.id == first.id != third.id
    assert [entry.count for entry in await inbox_of(database, ann)] == [2, 1, 2]


async def test_a_deleted_photo_ends_its_own_notifications(database: Database) -> None:
    """Activities about other photos of its owner are recorded as before."""
    ann, ben = await new_users(database, "ann", "ben")
    photo, deleted = await ready_photo(database, ann), await ready_photo(database, ann)
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, deleted.id, author_id=ann.id)
    assert await note_like(database, deleted, ben) is None
    assert await note_like(database, photo, ben) is not None


@pytest.mark.parametrize("mark", [None, "seen", "read"])
async def test_an_activity_that_comes_back_is_no_news(database: Database, mark: str | None) -> None:
    """A retracted activity that is repeated within a day neither moves its entry to the top nor makes it unseen."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo, other = await ready_photo(database, ann), await ready_photo(database, ann)
    first = await note_like(database, photo, ben)
    await note_like(database, other, cat)
    if mark is not None:
        await _mark(database, ann, mark)
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
    await _age(database, hours=25)
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
    await _age(database, hours=25)
    late = await note_like(database, photo, ben)
    assert late is not None
    assert (late.count, late.silent) == (1, False)


async def test_an_activity_returns_to_an_open_entry_that_is_younger(database: Database) -> None:
    """An activity older than a day is news again, also where its row is in an entry that is still open."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    await note_like(database, photo, ben)
    await note_unlike(database, photo, ben)
    await _age(database, hours=23)
    opened = await note_like(database, photo, cat)
    await note_like(database, photo, ben)
    await note_unlike(database, photo, ben)
    await _age(database, hours=2)
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
    assert await notifications.counters(database, ann.id) == NotificationCounters(unseen=0, unread=0)
    assert await note_unlike(database, photo, ben) is None
    again = await note_like(database, photo, ben)
    assert again is not None
    assert again.count == 1


async def test_several_activities_of_one_actor_count_once(database: Database) -> None:
    """In a group of comments, as an earlier version made them, an actor counts until the last comment is retracted."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    entry = await _comment(database, photo, ben, 1)
    assert entry is not None
    await database.fetch("UPDATE notifications SET closed_at = NULL")
    seen = []
    for actor, comment_id in ((cat, 2), (ben, 3), (ben, 4)):
        added = await _comment(database, photo, actor, comment_id)
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
    again = await _comment(database, photo, ben, 3)
    assert again is not None
    assert (again.count, again.silent) == (2, True)
    again = await _comment(database, photo, ben, 4)
    assert again is not None
    assert (again.count, again.silent) == (2, True)


async def test_one_of_several_activities_comes_back_where_its_actor_counts_already(database: Database) -> None:
    """An actor with another activity in the entry is not counted again: neither where it was, nor in an open entry."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)

    async def comment(actor: User, comment_id: int) -> tuple[int, int]:
        entry = await _comment(database, photo, actor, comment_id)
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
    await _mark(database, ann, "read")
    second, _ = await comment(cat, 3)
    await retract(1)
    assert await comment(ben, 1) == (first, 1)
    for comment_id in (1, 2):
        await retract(comment_id)
    assert await comment(ben, 4) == (second, 2)
    assert await comment(ben, 1) == (second, 2)


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
        found = await notification_groups.entries_of(tx, ben.id, recipient_id=ann.id, limit=9)
        assert len(found[ann.id]) == 3
        changed = await notification_groups.retract_actor(
            tx, recipient_id=ann.id, actor_id=ben.id, entry_ids=found[ann.id]
        )
        assert await notification_groups.entries_of(tx, ben.id, limit=9) == {}
    assert changed == [entry.id for entry in before if entry.photo_id == kept.id]
    assert [(entry.id, entry.count, entry.text) for entry in await inbox_of(database, ann)] == [
        (entry.id, 1, "cat liked your photo") for entry in before
    ]


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


async def test_counters_and_marks(database: Database) -> None:
    """Seen resets the badge, read implies seen, and users can neither mark nor read the entries of others."""
    ann, ben = await new_users(database, "ann", "ben")
    entries = []
    for _ in range(3):
        entry = await note_like(database, await ready_photo(database, ann), ben)
        assert entry is not None
        entries.append(entry.id)
    assert await notifications.counters(database, ann.id) == NotificationCounters(unseen=3, unread=3)
    newest = (await inbox_of(database, ann))[0].position
    assert await notifications.counters_and_newest(database, ann.id) == (
        NotificationCounters(unseen=3, unread=3),
        newest,
    )
    assert await _mark(database, ann, "seen", entries[:1]) == 1
    assert await _mark(database, ann, "read", entries[1:2]) == 1
    assert await notifications.counters(database, ann.id) == NotificationCounters(unseen=1, unread=2)
    assert await _mark(database, ben, "read", entries) == 0
    assert await notifications.by_ids(database, ben.id, entries) == {}
    assert set(await notifications.by_ids(database, ann.id, entries)) == set(entries)
    assert await _mark(database, ann, "seen") == 1
    assert await _mark(database, ann, "read") == 2
    assert await notifications.counters(database, ann.id) == NotificationCounters(unseen=0, unread=0)
    assert await notifications.counters_and_newest(database, ann.id) == (
        NotificationCounters(unseen=0, unread=0),
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
    assert await _mark(database, ben, what, [mine.id]) == 0
    assert await _mark(database, ben, what) == 1
    assert await notifications.counters(database, ann.id) == NotificationCounters(unseen=1, unread=1)


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
    assert await _mark(database, ann, what, [entry.id for entry in shown] if by_id else None, up_to=top.position) == 1
    liked, seen = await inbox_of(database, ann)
    assert (liked.photo_id, liked.seen, liked.read) == (photo.id, False, False)
    assert (seen.seen, seen.read) == (True, what == "read")


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


async def test_nothing_is_retracted_from_an_entry_that_is_deleted(database: Database) -> None:
    """The activities of a deleted photo's entry are not retracted one by one."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    await note_like(database, photo, ben)
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=ann.id)
    assert await note_unlike(database, photo, ben) is None


async def test_a_comment_is_not_shown_once_it_or_its_author_is_deleted(database: Database) -> None:
    """Until its activity is withdrawn, the notification of a deleted comment is there without the comment's text."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    for actor in (ben, cat):
        async with database.transaction() as tx:
            comment, _ = await comments.add(tx, photo_id=photo.id, author_id=actor.id, text="nice")
        entry = await _comment(database, photo, actor, comment.id)
        assert entry is not None
        assert entry.comment is not None
        async with database.transaction() as tx:
            if actor is ben:
                await comment_deletion.delete(tx, comment.id, user_id=actor.id)
            else:
                await users.remove(tx, actor.id)
    assert [entry.comment for entry in await inbox_of(database, ann)] == [None, None]


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


async def test_marks_are_looked_up_at_the_top(database: Database) -> None:
    """Of the entries with the highest positions, those with the mark are returned."""
    ann, ben = await new_users(database, "ann", "ben")
    older = await note_like(database, await ready_photo(database, ann), ben)
    assert older is not None
    async with database.transaction() as tx:
        await notification_marks.mark_seen(tx, ann.id, [older.id])
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
    assert await _mark(database, ann, "seen") == 1
    assert await notification_marks.marked(database, ann.id, NotificationMark.SEEN, limit=1) == [newer.id]
    assert await _mark(database, ann, "read", [older.id]) == 1
    assert await notification_marks.marked(database, ann.id, NotificationMark.READ, limit=2) == [older.id]


async def test_an_activity_comes_back_where_it_was(database: Database) -> None:
    """An activity whose entry was read, and has other actors, comes back there and not in the open entry of others."""
    ann, ben, cat, dan = await new_users(database, "ann", "ben", "cat", "dan")
    photo = await ready_photo(database, ann)
    for actor in (ben, dan):
        first = await note_like(database, photo, actor)
    await _mark(database, ann, "read")
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


async def test_a_user_leaves_the_given_entries_of_one_inbox(database: Database) -> None:
    """Entries that were not asked for, and those of another inbox in the same shard, keep their actors."""
    ann, cat, ben = await new_users(database, "ann", "cat", "ben")
    mine = [await note_like(database, await ready_photo(database, ann), ben) for _ in range(2)]
    other = await note_like(database, await ready_photo(database, cat), ben)
    first, second = (entry.id for entry in mine if entry is not None)
    assert other is not None
    async with database.transaction() as tx:
        found = await notification_groups.entries_of(tx, ben.id, recipient_id=ann.id, limit=9)
        assert found == {ann.id: [first, second]}
        assert await notification_groups.entries_of(tx, cat.id, recipient_id=ann.id, limit=9) == {}
        everywhere = await notification_groups.entries_of(tx, ben.id, limit=9)
        assert everywhere == {ann.id: [first, second], cat.id: [other.id]}
        changed = await notification_groups.retract_actor(
            tx, recipient_id=ann.id, actor_id=ben.id, entry_ids=[first, other.id]
        )
    assert changed == [first]
    assert [entry.id for user in (ann, cat) for entry in await inbox_of(database, user)] == [second, other.id]


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
    two, one = NotificationCounters(unseen=2, unread=2), NotificationCounters(unseen=1, unread=1)
    for entry, shown in ((first, first.id), (second, second.id), (gone, None), (other, None)):
        state = await notifications.inbox_state(database, ann.id, entry.id)
        assert (state.entry.id if state.entry else None, state.counters) == (shown, two)
    for user, newest, counters in ((ann, second, two), (cat, other, one)):
        assert await notifications.counters_and_newest(database, user.id) == (counters, newest.position)
    assert await notifications.counters_and_newest(database, ben.id) == (NotificationCounters(unseen=0, unread=0), None)
