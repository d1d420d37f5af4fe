"""The event about an entry that has a new activity: one for each, and none for what brings no news."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from storage import events
from storage.ids import encode
from storage.notification_events import NotificationChanged
from storage.notifications import Activity, NotificationKind, NotificationMark
from storage.postgres.database import Database
from storage.stores import inbox_lock
from storage.stores.notifications import notification_groups
from storage.stores.notifications.notification_lookup import look_up
from storage.stores.notifications.notification_marks import Selection
from tests.support.community import new_users, ready_photo
from tests.support.deliveries import reach
from tests.support.inboxes import inbox_of
from tests.support.stage import Stage
from workers.jobs.inbox.inbox import Inbox
from workers.jobs.inbox.inbox_marks import InboxMarks

pytestmark = pytest.mark.engines


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    """A database in which a queue is bound to the topic."""
    routes = {NotificationChanged.topic: ("deliver",)}
    opened = await Database.connect(database_dsn, routes=lambda topic: routes.get(topic, ()), min_size=2, max_size=3)
    yield opened
    await opened.close()


async def emitted(database: Database) -> list[NotificationChanged]:
    """Return the events since the last call, in order."""
    rows = await database.fetch("DELETE FROM outbox WHERE queue = 'deliver' RETURNING id, topic, body")
    found = [events.decode(row["topic"], row["body"]) for row in sorted(rows, key=lambda row: row["id"])]
    return [event for event in found if isinstance(event, NotificationChanged)]


async def test_each_new_activity_emits_one_event(stage: Stage, database: Database) -> None:
    """Also the second one of a group, with the same group; repeats, retractions, marks and removals emit none."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    await reach(database, ann)
    photo = await ready_photo(database, ann)
    inbox = Inbox(database, stage.notification_log)
    likes = [
        Activity(
            recipient_id=ann.id, kind=NotificationKind.LIKE, actor_id=actor.id, photo_id=photo.id, source_id=photo.id
        )
        for actor in (ben, cat)
    ]
    for like in (*likes, *likes):
        await inbox.record(like)
    (entry,) = await inbox_of(database, ann)
    event = NotificationChanged(user_id=ann.id, notification_id=entry.id, kind="like", group=f"like:{encode(photo.id)}")
    assert await emitted(database) == [event, event]
    await inbox.reconcile(likes[0])
    await InboxMarks(database, stage.notification_log).mark(ann.id, NotificationMark.READ, Selection())
    await inbox.dismiss(ann.id, entry.id)
    await inbox.undo_dismissal(ann.id, entry.id)
    assert await emitted(database) == []


async def test_what_reaches_no_device_and_no_address_emits_none(stage: Stage, database: Database) -> None:
    """Without a device and a verified address, or where the user wants neither, an activity causes no event."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    inbox = Inbox(database, stage.notification_log)
    like, other = (
        Activity(
            recipient_id=ann.id, kind=NotificationKind.LIKE, actor_id=actor.id, photo_id=photo.id, source_id=photo.id
        )
        for actor in (ben, cat)
    )
    await inbox.record(like)
    await database.fetch("UPDATE users SET email_verified_at = now() RETURNING id")
    await inbox.record(other)  # there are no mails about likes by default
    assert await emitted(database) == []


async def test_what_is_not_grouped_has_a_group_of_its_own(stage: Stage, database: Database) -> None:
    """The group of a request is its entry's; an answered appeal is of the kind that the user reads."""
    ann, ben = await new_users(database, "ann", "ben")
    await reach(database, ann)
    inbox = Inbox(database, stage.notification_log)
    for kind in (NotificationKind.APPEAL_ANSWERED, NotificationKind.DECISION):
        await inbox.record(Activity(recipient_id=ann.id, kind=kind, actor_id=None, source_id=7))
    await inbox.record(Activity(recipient_id=ann.id, kind=NotificationKind.FOLLOW, actor_id=ben.id, source_id=ben.id))
    follow, decision, appeal = await inbox_of(database, ann)
    assert [(event.kind, event.group) for event in await emitted(database)] == [
        ("moderation", f"moderation:{encode(appeal.id)}"),
        ("moderation", f"moderation:{encode(decision.id)}"),
        ("follow", "follow"),
    ]
    assert follow.kind is NotificationKind.FOLLOW


async def test_likes_and_unlikes_without_end_are_one_entry_and_one_event(database: Database) -> None:
    """A like that is given and taken back is news once: each further round leaves every row as it was."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    like = Activity(
        recipient_id=ann.id, kind=NotificationKind.LIKE, actor_id=ben.id, photo_id=photo.id, source_id=photo.id
    )
    news, rows = [], []
    async with database.transaction() as tx:  # in which now() stays the same
        await inbox_lock.acquire(tx, ann.id)
        for _ in range(10):
            recorded = await notification_groups.record(tx, like, await look_up(tx, like))
            assert recorded is not None
            news += [] if recorded.news is None else [recorded.news]
            await notification_groups.retract(tx, like, await look_up(tx, like))
            entries = await tx.fetch(
                "SELECT id, position, people, silent, closed_at IS NULL AS open FROM notifications WHERE user_id = $1",
                ann.id,
            )
            actors = await tx.fetch("SELECT * FROM notification_actors WHERE actor_id = $1", ben.id)
            rows.append([tuple(row) for row in (*entries, *actors)])
    assert (len(news), len(rows[0])) == (1, 2)
    assert rows == [rows[0]] * len(rows)
    assert await inbox_of(database, ann) == []
