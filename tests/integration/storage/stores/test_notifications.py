"""The inbox in a real database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from storage.models import Notification, NotificationCounters, NotificationKind, Photo, User, UserSummary
from storage.postgres.database import Database
from storage.stores import blocks, comments, notification_groups, notification_marks, notifications, photos, users
from tests.support.community import (
    block,
    new_users,
    processing_photo,
    ready_photo,
    record_notification,
    retract_notification,
)

pytestmark = pytest.mark.engines


async def _like(database: Database, photo: Photo, actor: User) -> Notification | None:
    async with database.transaction() as tx:
        return await record_notification(
            tx,
            recipient_id=photo.author.id,
            kind=NotificationKind.LIKE,
            actor_id=actor.id,
            photo_id=photo.id,
            source_id=photo.id,
        )


async def _unlike(database: Database, photo: Photo, actor: User) -> int | None:
    async with database.transaction() as tx:
        return await retract_notification(
            tx,
            recipient_id=photo.author.id,
            kind=NotificationKind.LIKE,
            actor_id=actor.id,
            photo_id=photo.id,
            source_id=photo.id,
        )


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


async def _inbox(database: Database, user: User) -> list[Notification]:
    return await notifications.inbox(database, user.id, before=None, limit=99)


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
        entry = await _like(database, photo, actor)
        assert entry is not None
        texts.append(entry.text)
    assert texts == [
        "ben liked your photo",
        "cat and ben liked your photo",
        "dan and 2 others liked your photo",
        "eve and 3 others liked your photo",
    ]
    (entry,) = await _inbox(database, ann)
    assert (entry.count, [user.username for user in entry.actors]) == (4, ["eve", "dan", "cat"])
    assert (entry.photo_id, entry.user_id, entry.id & 1023) == (photo.id, ann.id, ann.id & 1023)


async def test_repeat_changes_nothing(database: Database) -> None:
    """A repeated activity returns the unchanged entry, even after it was read."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    first = await _like(database, photo, ben)
    await _mark(database, ann, "seen")
    repeat = await _like(database, photo, ben)
    assert first is not None
    assert repeat is not None
    assert (repeat.id, repeat.position, repeat.count, repeat.seen) == (first.id, first.position, 1, True)
    await _mark(database, ann, "read")
    after = await _like(database, photo, ben)
    assert after is not None
    assert after.id == first.id
    assert len(await _inbox(database, ann)) == 1


async def test_new_activity_moves_the_entry_to_the_top_unseen(database: Database) -> None:
    """An entry with another activity is first and unseen again; pages have neither gaps nor repeats."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    first, second = await ready_photo(database, ann), await ready_photo(database, ann)
    for photo in (first, second):
        await _like(database, photo, ben)
    await _mark(database, ann, "seen")
    await _like(database, first, cat)
    top, below = await _inbox(database, ann)
    assert ([top.photo_id, below.photo_id], top.seen, below.seen) == ([first.id, second.id], False, True)
    assert top.updated_at > top.created_at
    page = await notifications.inbox(database, ann.id, before=top.position, limit=9)
    assert [entry.id for entry in page] == [below.id]


async def test_read_entry_is_closed(database: Database) -> None:
    """After an entry was read the next activity creates another one."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    first = await _like(database, photo, ben)
    await _mark(database, ann, "read")
    second = await _like(database, photo, cat)
    assert first is not None
    assert second is not None
    assert second.id != first.id
    assert second.count == 1
    assert [entry.read for entry in await _inbox(database, ann)] == [False, True]


async def test_likes_at_once_are_one_entry(database: Database) -> None:
    """Concurrent likes are one entry with all actors."""
    ann, *actors = await new_users(database, *"abcdefg")
    photo = await ready_photo(database, ann)
    await asyncio.gather(*(_like(database, photo, actor) for actor in actors * 2))
    (entry,) = await _inbox(database, ann)
    assert entry.count == len(actors)


async def test_deleted_photo_leaves_the_inbox(database: Database) -> None:
    """The notifications about a photo are deleted with it, and no longer counted."""
    ann, ben = await new_users(database, "ann", "ben")
    gone, kept = await ready_photo(database, ann), await ready_photo(database, ann)
    for photo in (gone, kept):
        await _like(database, photo, ben)
    async with database.transaction() as tx:
        await photos.delete(tx, gone.id, author_id=ann.id)
    assert [entry.photo_id for entry in await _inbox(database, ann)] == [kept.id]
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
    (entry,) = await _inbox(database, ann)
    assert (entry.text, entry.photo_id) == ("cat and ben started following you", None)
    async with database.transaction() as tx:
        assert await retract_notification(tx, photo_id=None, **acts[0]) == entry.id
    assert [left.text for left in await _inbox(database, ann)] == ["cat started following you"]


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
    shown = [entry.comment for entry in reversed(await _inbox(database, ann))]
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
    left = [entry.comment.id for entry in await _inbox(database, ann) if entry.comment]
    assert left == [written[2], written[0]]


async def test_a_group_closes_after_a_day(database: Database) -> None:
    """An unread entry takes activities for 24 hours; a later one creates another entry."""
    ann, ben, cat, dan = await new_users(database, "ann", "ben", "cat", "dan")
    photo = await ready_photo(database, ann)
    first = await _like(database, photo, ben)
    await _age(database, hours=23)
    second = await _like(database, photo, cat)
    await _age(database, hours=2)
    third = await _like(database, photo, dan)
    assert first is not None
    assert second is not None
    assert third is not None
    assert second.id == first.id != third.id
    assert [entry.count for entry in await _inbox(database, ann)] == [1, 2]


@pytest.mark.parametrize("mark", [None, "seen", "read"])
async def test_an_activity_that_comes_back_is_no_news(database: Database, mark: str | None) -> None:
    """A retracted activity that is repeated within a day neither moves its entry to the top nor makes it unseen."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo, other = await ready_photo(database, ann), await ready_photo(database, ann)
    first = await _like(database, photo, ben)
    await _like(database, other, cat)
    if mark is not None:
        await _mark(database, ann, mark)
    for _ in range(3):
        await _unlike(database, photo, ben)
        again = await _like(database, photo, ben)
    assert first is not None
    assert again is not None
    assert (again.id, again.position, again.count, again.silent) == (first.id, first.position, 1, True)
    assert (again.seen, again.read) == (mark is not None, mark == "read")
    assert [actor.username for actor in again.actors] == ["ben"]


async def test_an_activity_that_comes_back_after_a_day_is_news(database: Database) -> None:
    """A retracted activity that is repeated later than a day after the first time is a notification of its own."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    first = await _like(database, photo, ben)
    await _unlike(database, photo, ben)
    await _age(database, hours=25)
    again = await _like(database, photo, ben)
    assert first is not None
    assert again is not None
    assert (again.id == first.id, again.silent, again.count) == (False, False, 1)


async def test_an_activity_comes_back_into_the_entry_that_others_have_opened(database: Database) -> None:
    """If the entry of a retracted activity is gone, the activity comes back into the group's open entry, silently."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    await _like(database, photo, ben)
    await _unlike(database, photo, ben)
    opened = await _like(database, photo, cat)
    again = await _like(database, photo, ben)
    assert opened is not None
    assert again is not None
    assert (again.id, again.position, again.count, again.silent) == (opened.id, opened.position, 2, True)
    await _unlike(database, photo, ben)
    await _age(database, hours=25)
    late = await _like(database, photo, ben)
    assert late is not None
    assert (late.count, late.silent) == (1, False)


async def test_an_activity_returns_to_an_open_entry_that_is_younger(database: Database) -> None:
    """An activity older than a day is news again, also where its row is in an entry that is still open."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    await _like(database, photo, ben)
    await _unlike(database, photo, ben)
    await _age(database, hours=23)
    opened = await _like(database, photo, cat)
    await _like(database, photo, ben)
    await _unlike(database, photo, ben)
    await _age(database, hours=2)
    again = await _like(database, photo, ben)
    assert opened is not None
    assert again is not None
    assert (again.id, again.count, again.silent) == (opened.id, 2, False)
    assert again.position > opened.position


async def test_retract(database: Database) -> None:
    """Retracting removes the actor, the last one deletes the entry, and an unknown activity changes nothing."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    entry = await _like(database, photo, ben)
    await _like(database, photo, cat)
    assert entry is not None
    assert await _unlike(database, photo, cat) == entry.id
    (left,) = await _inbox(database, ann)
    assert left.text == "ben liked your photo"
    assert await _unlike(database, photo, ben) == entry.id
    assert await _inbox(database, ann) == []
    assert await notifications.counters(database, ann.id) == NotificationCounters(unseen=0, unread=0)
    assert await _unlike(database, photo, ben) is None
    again = await _like(database, photo, ben)
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
        (shown,) = await _inbox(database, ann)
        left.append((shown.count, [user.username for user in shown.actors]))
    assert left == [(2, ["ben", "cat"]), (2, ["cat", "ben"]), (1, ["cat"])]
    again = await _comment(database, photo, ben, 3)
    assert again is not None
    assert (again.count, again.silent) == (2, True)
    again = await _comment(database, photo, ben, 4)
    assert again is not None
    assert (again.count, again.silent) == (2, True)


async def test_an_actor_leaves_deleted_and_retracted_activities_silently(database: Database) -> None:
    """Removing a user's activities returns the entries that have changed, and brings none back that is deleted."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    gone, kept, retracted = [await ready_photo(database, ann) for _ in range(3)]
    for photo in (gone, kept, retracted):
        for actor in (ben, cat):
            await _like(database, photo, actor)
    await _unlike(database, retracted, ben)
    async with database.transaction() as tx:
        await photos.delete(tx, gone.id, author_id=ann.id)
    before = await _inbox(database, ann)
    async with database.transaction() as tx:
        found = await notification_groups.entries_of(tx, ben.id, recipient_id=ann.id, limit=9)
        assert len(found[ann.id]) == 3
        changed = await notification_groups.retract_actor(
            tx, recipient_id=ann.id, actor_id=ben.id, entry_ids=found[ann.id]
        )
        assert await notification_groups.entries_of(tx, ben.id, limit=9) == {}
    assert changed == [entry.id for entry in before if entry.photo_id == kept.id]
    assert [(entry.id, entry.text) for entry in await _inbox(database, ann)] == [
        (entry.id, "cat liked your photo") for entry in before
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
    assert await _like(database, photo, ann if case == "own act" else ben) is None
    assert await _inbox(database, ann) == []


async def test_rejection_is_recorded_once_with_its_reason(database: Database) -> None:
    """The rejection of a photo is one notification without an actor, with the reason."""
    (ann,) = await new_users(database, "ann")
    photo = await processing_photo(database, ann)
    async with database.transaction() as tx:
        await photos.mark_rejected(tx, photo.id, reason="the file is damaged")
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
    assert len(await _inbox(database, ann)) == 1


async def test_counters_and_marks(database: Database) -> None:
    """Seen resets the badge, read implies seen, and users can neither mark nor read the entries of others."""
    ann, ben = await new_users(database, "ann", "ben")
    entries = []
    for _ in range(3):
        entry = await _like(database, await ready_photo(database, ann), ben)
        assert entry is not None
        entries.append(entry.id)
    assert await notifications.counters(database, ann.id) == NotificationCounters(unseen=3, unread=3)
    newest = (await _inbox(database, ann))[0].position
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
    mine = await _like(database, await ready_photo(database, ann), cat)
    yours = await _like(database, await ready_photo(database, ben), cat)
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
    await _like(database, photo, ben)
    await _like(database, other, ben)
    top, _ = shown = await _inbox(database, ann)
    await _like(database, photo, cat)
    assert await _mark(database, ann, what, [entry.id for entry in shown] if by_id else None, up_to=top.position) == 1
    liked, seen = await _inbox(database, ann)
    assert (liked.photo_id, liked.seen, liked.read) == (photo.id, False, False)
    assert (seen.seen, seen.read) == (True, what == "read")


async def test_a_new_actor_is_the_newest_also_after_the_clock_has_stepped_back(database: Database) -> None:
    """An activity is the newest although PostgreSQL's clock has stepped back to before the times of the others."""
    ann, ben, cat, dan = await new_users(database, "ann", "ben", "cat", "dan")
    photo = await ready_photo(database, ann)
    await _like(database, photo, ben)
    await database.fetch("UPDATE notification_actors SET created_at = now() + interval '1 hour'")
    for actor in (cat, dan):
        await _like(database, photo, actor)
    await _unlike(database, photo, cat)
    (entry,) = await _inbox(database, ann)
    assert [user.username for user in entry.actors] == ["dan", "ben"]


async def test_nothing_is_retracted_from_an_entry_that_is_deleted(database: Database) -> None:
    """The activities of a deleted photo's entry are not retracted one by one."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    await _like(database, photo, ben)
    async with database.transaction() as tx:
        await photos.delete(tx, photo.id, author_id=ann.id)
    assert await _unlike(database, photo, ben) is None


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
                await comments.delete(tx, comment.id, user_id=actor.id)
            else:
                await users.remove(tx, actor.id)
    assert [entry.comment for entry in await _inbox(database, ann)] == [None, None]


async def test_accounts_that_are_known_are_not_read_again(database: Database) -> None:
    """The state of an entry has the accounts that were read before, and those that were not."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    for actor in (ben, cat):
        entry = await _like(database, photo, actor)
    assert entry is not None
    known = UserSummary(id=ben.id, username="known", display_name="", avatar_sha256=None)
    for accounts, names in (({}, ["cat", "ben"]), ({ben.id: known}, ["cat", "known"])):
        state = await notifications.inbox_state(database, ann.id, entry.id, accounts=accounts)
        assert state.entry is not None
        assert [actor.username for actor in state.entry.actors] == names
