"""Pages and counters of some kinds of notifications."""

from __future__ import annotations

import pytest

from storage.models import User
from storage.notifications import NotificationKind
from storage.postgres.database import Database
from storage.stores.accounts import account_restrictions
from storage.stores.notifications import notification_counters, notification_marks, notifications
from storage.stores.notifications.notification_marks import Selection
from tests.support.community import follow, new_users, ready_photo, record_notification
from tests.support.inboxes import counters, inbox_of, note_like

pytestmark = pytest.mark.engines

LIKES, FOLLOWS = NotificationKind.LIKE, NotificationKind.FOLLOW


async def note_follow(database: Database, recipient: User, actor: User) -> int:
    """Record a new follower, and return the entry."""
    async with database.transaction() as tx:
        entry = await record_notification(
            tx, recipient_id=recipient.id, kind=FOLLOWS, actor_id=actor.id, photo_id=None, source_id=actor.id
        )
    assert entry is not None
    return entry.id


async def test_a_page_of_some_kinds_goes_on_where_it_ended(database: Database) -> None:
    """Entries of the given kinds alone, newest first, without gaps or repeats between pages."""
    ann, ben = await new_users(database, "ann", "ben")
    await follow(database, ben, ann)
    liked = [await note_like(database, await ready_photo(database, ann), ben) for _ in range(3)]
    followed = await note_follow(database, ann, ben)
    wanted = [entry.id for entry in reversed(liked) if entry is not None]
    first = await notifications.inbox(database, ann.id, before=None, limit=2, kinds=[LIKES])
    rest = await notifications.inbox(database, ann.id, before=first[-1].position, limit=2, kinds=[LIKES])
    assert [entry.id for entry in (*first, *rest)] == wanted
    both, counted = await notifications.first_page(database, ann.id, limit=9, kinds=[LIKES, FOLLOWS])
    assert [entry.id for entry in both] == [followed, *wanted]
    assert counted == counters(like=(3, 3), follow=(1, 1))
    assert await notifications.first_page(database, ann.id, limit=9, kinds=[NotificationKind.MENTION]) == ([], counted)
    assert await notifications.first_page(database, ben.id, limit=9) == ([], counters())
    everything = await notifications.inbox(database, ann.id, before=None, limit=9)
    assert (await notifications.first_page(database, ann.id, limit=9))[0] == everything


async def test_marks_of_some_kinds_leave_the_others(database: Database) -> None:
    """A mark with kinds changes no entry of another kind, and the counters of each kind follow."""
    ann, ben = await new_users(database, "ann", "ben")
    await note_like(database, await ready_photo(database, ann), ben)
    await note_follow(database, ann, ben)
    async with database.transaction() as tx:
        assert await notification_marks.mark_seen(tx, ann.id, Selection(kinds=[FOLLOWS])) == 1
    assert await notification_counters.read(database, ann.id) == counters(like=(1, 1), follow=(0, 1))
    async with database.transaction() as tx:
        assert await notification_marks.mark_read(tx, ann.id, Selection(kinds=[LIKES])) == 1
    assert await notification_counters.read(database, ann.id) == counters(follow=(0, 1))


async def test_decisions_and_answered_appeals_are_read_as_moderation(database: Database) -> None:
    """They are listed, counted and marked under one kind, whatever kind their rows have."""
    (ann,) = await new_users(database, "ann")
    stored = (NotificationKind.DECISION, NotificationKind.APPEAL_ANSWERED)
    for number, kind in enumerate(stored, 1):
        async with database.transaction() as tx:
            await record_notification(
                tx, recipient_id=ann.id, kind=kind, actor_id=None, photo_id=None, source_id=number
            )
    wanted = NotificationKind.MODERATION
    page, counted = await notifications.first_page(database, ann.id, limit=9, kinds=[wanted])
    assert [entry.kind for entry in page] == [wanted, wanted]
    assert counted == counters(moderation=(2, 2))
    async with database.transaction() as tx:
        assert await notification_marks.mark_read(tx, ann.id, Selection(kinds=[wanted])) == 2


async def test_entries_of_hidden_actors_take_no_place_in_a_page(database: Database) -> None:
    """A page is full although entries of suspended accounts were left out of it."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    both = await ready_photo(database, ann)
    for actor in (ben, cat):
        await note_like(database, both, actor)
    await note_like(database, await ready_photo(database, ann), ben)
    for _ in range(2):
        await note_like(database, await ready_photo(database, ann), cat)
    async with database.transaction() as tx:
        await account_restrictions.suspend(tx, cat.id)
    for kinds in (None, [LIKES]):
        page, _ = await notifications.first_page(database, ann.id, limit=2, kinds=kinds)
        assert [(entry.text, entry.count) for entry in page] == [("ben liked your photo", 1)] * 2
        assert page == await notifications.inbox(database, ann.id, before=None, limit=2, kinds=kinds)
    assert page == await inbox_of(database, ann)
