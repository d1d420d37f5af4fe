"""Inbox and publications agree, whatever happens at the same time."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable

import pytest

from channels.contract.causes import Cause, causing
from channels.contract.causes import Stage as EventStage
from storage.errors import ConnectionLostError
from storage.ids import decode
from storage.models import User
from storage.notifications import Activity, NotificationKind, NotificationMark
from storage.postgres.database import Database, Transaction
from storage.stores import inbox_lock
from storage.stores.notifications.notification_lookup import Situation, look_up
from storage.stores.notifications.notification_marks import Selection
from tests.support.community import new_users, ready_photo, record_notification
from tests.support.driver_commands import commands
from tests.support.eventually import DEADLINE
from tests.support.inboxes import counters_json
from tests.support.stage import Stage, start_clean
from tests.support.statements import StatementLog
from workers.broker.routing import queues_of
from workers.jobs.inbox.inbox import Inbox, LookUp
from workers.jobs.inbox.inbox_marks import InboxMarks

pytestmark = pytest.mark.engines


async def user_and_like(stage: Stage) -> tuple[User, Activity]:
    """Return a connected user, and a like of a photo of that user that is not recorded."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    await start_clean(stage, ann)
    activity = Activity(
        recipient_id=ann.id, kind=NotificationKind.LIKE, actor_id=bob.id, photo_id=photo.id, source_id=photo.id
    )
    return ann, activity


def looking(holds: Callable[[], Awaitable[bool]]) -> LookUp:
    """Return a look-up that finds of an activity whether `holds`, and the rest in the database."""

    async def look(tx: Transaction, activity: Activity) -> Situation | None:
        found = await look_up(tx, activity)
        return None if found is None else found._replace(holds=await holds())

    return look


async def test_a_repeated_handler_publishes_what_was_only_recorded(stage: Stage) -> None:
    """After a crash between the commit and the publication, the repeated handler publishes."""
    ann, like = await user_and_like(stage)
    async with stage.database.transaction() as tx:
        await record_notification(
            tx,
            recipient_id=ann.id,
            kind=like.kind,
            actor_id=like.actor_id,
            photo_id=like.photo_id,
            source_id=like.source_id,
        )
    assert await stage.deliveries(ann) == []

    async def holds() -> bool:
        return True

    await Inbox(stage.database, stage.notification_log, look=looking(holds)).reconcile(like)
    assert [message.document["type"] for message in await stage.deliveries(ann)] == ["notification"]


async def test_a_notification_carries_its_event(stage: Stage) -> None:
    """Its stages are reached once each, and what is published has the queue, the commit and the trace."""
    ann, like = await user_and_like(stage)
    stages: list[EventStage] = []

    async def holds() -> bool:
        return True

    with causing(Cause(queue="notify", committed_at=5.0, traceparent="00-a-b-01"), stages.append):
        await Inbox(stage.database, stage.notification_log, look=looking(holds)).reconcile(like)
    assert stages == [EventStage.INSERTED, EventStage.PUBLISHED]
    assert [message.body["cause"] for message in await stage.deliveries(ann)] == [[5000, "notify", "00-a-b-01"]]


async def test_a_like_given_again_meanwhile_is_announced_once(stage: Stage) -> None:
    """A like that is removed and given again while it is handled is announced by the handler of the second alone."""
    ann, like = await user_and_like(stage)
    liked, later = True, list[asyncio.Task[None]]()

    async def holds() -> bool:
        return liked

    async def removed_after_the_look() -> bool:
        nonlocal liked
        seen = await holds()
        liked = False
        later.append(asyncio.create_task(second.reconcile(like)))
        return seen

    async def given_again_after_the_look() -> bool:
        nonlocal liked
        seen = await holds()
        liked = True
        later.append(asyncio.create_task(third.reconcile(like)))
        return seen

    first, second, third = (
        Inbox(stage.database, stage.notification_log, look=looking(look))
        for look in (removed_after_the_look, given_again_after_the_look, holds)
    )
    await first.reconcile(like)
    for task in later:
        await task
    kinds = [message.document["type"] for message in await stage.deliveries(ann)]
    assert kinds == ["notification", "notification.removed", "notification.changed"]


@pytest.mark.parametrize("kind", [NotificationKind.LIKE, NotificationKind.PHOTO_REJECTED])
async def test_a_repeated_handler_announces_nothing_again(stage: Stage, kind: NotificationKind) -> None:
    """The event of an activity that is recorded and published is published as a change without news."""
    ann, activity = await user_and_like(stage)
    if kind is NotificationKind.PHOTO_REJECTED:
        activity = dataclasses.replace(activity, kind=kind, actor_id=None)
    inbox = Inbox(stage.database, stage.notification_log)
    for _ in range(3):
        await inbox.record(activity)
    kinds = [message.document["type"] for message in await stage.deliveries(ann)]
    assert kinds == ["notification", "notification.changed", "notification.changed"]


async def test_a_change_of_an_entry_that_left_the_log_is_no_news(stage: Stage) -> None:
    """A retraction, and the activity that comes back, are published as changes of an entry that the log has no more."""
    ann, like = await user_and_like(stage)
    assert like.actor_id is not None
    (cat,) = await new_users(stage.database, "cat")
    for actor_id in (cat.id, like.actor_id):
        async with stage.database.transaction() as tx:
            await record_notification(
                tx,
                recipient_id=ann.id,
                kind=like.kind,
                actor_id=actor_id,
                photo_id=like.photo_id,
                source_id=like.source_id,
            )
    inbox = Inbox(stage.database, stage.notification_log)
    for change in (inbox.withdraw, inbox.record):
        await commands(stage.redis).flushall()
        await stage.online(ann)
        await change(like)
        assert [message.document["type"] for message in await stage.deliveries(ann)] == ["notification.changed"]


@pytest.mark.parametrize("mark", NotificationMark)
async def test_a_mark_is_published_to_the_other_devices(stage: Stage, mark: NotificationMark) -> None:
    """A mark is published once, with what was marked and the counters after it; one that changes nothing is not."""
    ann, like = await user_and_like(stage)
    inbox = Inbox(stage.database, stage.notification_log)
    await inbox.record(like)
    (delivery,) = await stage.deliveries(ann)
    shown = delivery.document["notification"]
    marks = InboxMarks(stage.database, stage.notification_log)
    for _ in range(2):
        await marks.mark(ann.id, mark, Selection([decode(shown["id"])], decode(shown["position"])))
    (delivery,) = await stage.deliveries(ann)
    assert delivery.body["stream"] == "notifications"
    assert delivery.document == {
        "type": "notifications.marked",
        "mark": mark,
        "ids": [shown["id"]],
        "up_to": shown["position"],
        "counters": counters_json(like=(0, 1)) if mark is NotificationMark.SEEN else counters_json(),
    }


async def test_a_mark_of_all_names_the_newest_position(stage: Stage) -> None:
    """The publication of a mark of all notifications has the position up to which they were marked."""
    ann, like = await user_and_like(stage)
    inbox = Inbox(stage.database, stage.notification_log)
    await inbox.record(like)
    (delivery,) = await stage.deliveries(ann)
    await InboxMarks(stage.database, stage.notification_log).mark(ann.id, NotificationMark.SEEN, Selection())
    (marked,) = await stage.deliveries(ann)
    assert marked.document["up_to"] == delivery.document["notification"]["position"]
    assert "ids" not in marked.document


async def test_what_is_published_is_committed(stage: Stage) -> None:
    """A failure after the change rolls it back and publishes nothing, and the next handler gets the lock."""
    ann, like = await user_and_like(stage)
    inbox = Inbox(stage.database, stage.notification_log)

    async def fails() -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Inbox(stage.database, stage.notification_log, look=looking(fails)).reconcile(like)
    assert await stage.deliveries(ann) == []
    await inbox.record(like)
    assert [message.document["type"] for message in await stage.deliveries(ann)] == ["notification"]


async def test_a_withdrawal_of_what_holds_changes_nothing(stage: Stage) -> None:
    """An activity that holds is neither retracted nor recorded by a withdrawal: its own event decides that."""
    ann, like = await user_and_like(stage)

    async def holds() -> bool:
        return True

    inbox = Inbox(stage.database, stage.notification_log, look=looking(holds))
    await inbox.withdraw(like)
    assert await stage.deliveries(ann) == []
    await inbox.record(like)
    await inbox.withdraw(like)
    assert [message.document["type"] for message in await stage.deliveries(ann)] == ["notification"]


async def test_a_handler_that_has_lost_the_lock_changes_nothing(stage: Stage) -> None:
    """If the lock's connection ends during the work, nothing is recorded or published; the repetition does both."""
    ann, like = await user_and_like(stage)

    async def loses_the_lock() -> bool:
        lock = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'BEGIN; SELECT 1 FROM inboxes%' AND state <> 'idle'"
        assert await stage.database.fetchval(f"SELECT pg_terminate_backend(({lock}), 5000)")
        async with inbox_lock.hold(stage.database, ann.id):
            return True

    with pytest.raises(ConnectionLostError):
        await Inbox(stage.database, stage.notification_log, look=looking(loses_the_lock)).reconcile(like)
    assert await stage.database.fetchval("SELECT count(*) FROM notifications") == 0
    assert await stage.deliveries(ann) == []
    await Inbox(stage.database, stage.notification_log).record(like)
    assert [message.document["type"] for message in await stage.deliveries(ann)] == ["notification"]


async def test_a_cancelled_handler_releases_the_lock(stage: Stage) -> None:
    """A handler that is cancelled while it holds the inbox's lock leaves it to the next one."""
    ann, like = await user_and_like(stage)
    inbox = Inbox(stage.database, stage.notification_log)
    locked = asyncio.Event()

    async def hangs() -> bool:
        locked.set()
        await asyncio.Event().wait()
        return True

    handling = asyncio.create_task(Inbox(stage.database, stage.notification_log, look=looking(hangs)).reconcile(like))
    await asyncio.wait_for(locked.wait(), DEADLINE)
    handling.cancel()
    await asyncio.gather(handling, return_exceptions=True)
    await asyncio.wait_for(inbox.record(like), DEADLINE)
    assert [message.document["type"] for message in await stage.deliveries(ann)] == ["notification"]


async def test_only_marks_wait_for_the_disk_beside_claimed_events(stage: Stage, database_dsn: str) -> None:
    """The event of an activity is handled again if a crash undoes its entry; nothing repeats the mark of a user."""
    ann, like = await user_and_like(stage)
    database = await Database.connect(database_dsn, routes=queues_of, min_size=3, max_size=3, claims_events=True)
    log = await StatementLog.open(database, connections=3)
    inbox = Inbox(database, stage.notification_log)
    await inbox.record(like)
    assert "BEGIN; SET LOCAL synchronous_commit TO off" in await log.take()
    await InboxMarks(database, stage.notification_log).mark(ann.id, NotificationMark.READ, Selection())
    assert not any("synchronous_commit" in statement for statement in await log.take())
    await database.close()
