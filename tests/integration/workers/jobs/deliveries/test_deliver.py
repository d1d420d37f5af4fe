"""News in an inbox leave the application once, if they are still wanted when they are due."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from storage.deliveries import Limits
from storage.events import NotificationChanged
from storage.ids import encode
from storage.notification_channels import Audience, Channel
from storage.notifications import NotificationKind, NotificationMark
from storage.quiet_hours import QuietHours
from storage.stores.comments import comment_deletion
from storage.stores.notifications import notification_preferences
from storage.stores.notifications.notification_marks import Selection
from storage.stores.social import blocks, muted_subjects
from tests.support.community import block, follow, ready_photo
from tests.support.deliveries import Deliveries, choose, comment, users_with_devices
from tests.support.inboxes import inbox_of
from tests.support.stage import Stage
from workers.handlers import EventOrigin, handling
from workers.jobs.inbox.inbox_marks import InboxMarks

pytestmark = pytest.mark.engines
LIKE, COMMENT = NotificationKind.LIKE, NotificationKind.COMMENT
HALF_AN_HOUR = timedelta(minutes=30)
ALWAYS_QUIET = QuietHours(zone="UTC", begin=0, end=1439)


@pytest.fixture
def worker(stage: Stage) -> Deliveries:
    """The worker, with three pushes an hour, so that a few are many. All users have devices and addresses."""
    return Deliveries(stage.database, limits=Limits(pushes_per_hour=3))


async def test_a_push_at_once_and_a_mail_later(stage: Stage, worker: Deliveries) -> None:
    """A comment is pushed at once, and sent by mail when it was not read for half an hour."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    await comment(stage, bob, await ready_photo(stage.database, ann))
    await worker.send(stage)
    assert worker.push.texts == ["bob commented on your photo"]
    assert worker.mail.sent == []
    await worker.pass_time(HALF_AN_HOUR)
    assert worker.mail.texts == worker.push.texts
    assert worker.push.sent[0][0] == ann.id
    assert await worker.rows(ann) == [("push", "sent", None), ("email", "sent", None)]
    assert worker.metrics.results == [("push", "sent"), ("email", "sent")]


async def test_what_was_read_is_not_mailed(stage: Stage, worker: Deliveries) -> None:
    """A mail is dropped if its notification was read before it was due."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    await comment(stage, bob, await ready_photo(stage.database, ann))
    await worker.send(stage)
    marks = InboxMarks(stage.database, stage.notification_log)
    await marks.mark(ann.id, NotificationMark.READ, Selection())
    await worker.pass_time(HALF_AN_HOUR)
    assert worker.mail.sent == []
    assert await worker.rows(ann) == [("push", "sent", None), ("email", "dropped", "read")]


@pytest.mark.parametrize("change", ["deleted", "blocked", "muted", "preference", "photo", "thread"])
async def test_what_is_not_wanted_any_more_is_not_sent(stage: Stage, worker: Deliveries, change: str) -> None:
    """A change between the news and the moment at which a delivery is due counts."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    comment_id = await comment(stage, bob, photo)
    await worker.send(stage)
    async with stage.database.transaction() as tx:
        match change:
            case "deleted":
                await comment_deletion.delete(tx, comment_id, user_id=bob.id)
            case "muted":
                await blocks.mute(tx, ann.id, bob.id)
            case "preference":
                email_off = {(COMMENT, Channel.EMAIL): Audience.NOBODY}
                await notification_preferences.set_preferences(tx, ann.id, email_off)
            case "photo":
                await muted_subjects.mute_photo(tx, ann.id, photo.id)
            case "thread":
                await muted_subjects.mute_thread(tx, ann.id, comment_id)
            case _:
                pass
    if change == "blocked":
        await block(stage.database, ann, bob)
    else:
        await stage.pump()  # the handler of a block removes the entry, which is another reason
    await worker.pass_time(HALF_AN_HOUR)
    assert worker.mail.sent == []
    reason = {"muted": "blocked", "photo": "blocked", "thread": "blocked"}.get(change, change)
    assert (await worker.rows(ann))[1] == ("email", "dropped", reason)


async def test_a_thousand_changes_of_a_like_are_one_push(stage: Stage, worker: Deliveries) -> None:
    """A like that is given and removed again and again, and any number of others, push once in ten minutes."""
    ann, *fans = await users_with_devices(stage.database, "ann", *(f"fan{number}" for number in range(8)))
    photo = await ready_photo(stage.database, ann)
    for _ in range(3):
        for fan in fans:
            await stage.like(fan, photo)
            await stage.unlike(fan, photo)
            await stage.like(fan, photo)
        await worker.send(stage)
    (entry,) = await inbox_of(stage.database, ann)
    event = NotificationChanged(user_id=ann.id, notification_id=entry.id, kind="like", group=f"like:{encode(photo.id)}")

    async def change() -> None:
        with handling(EventOrigin(id="1", due_at=datetime.now(UTC))):
            for _ in range(93):
                await worker.handlers[event.topic](event)

    await asyncio.gather(*(change() for _ in range(10)), *(worker.sending.send_due() for _ in range(3)))
    await worker.sending.send_due()
    assert worker.push.texts == ["fan7 and 7 others liked your photo"]
    # The others may be pushed once the pause is over, and no third time.
    await worker.pass_time(timedelta(minutes=11))
    assert len(worker.push.sent) == 2
    await worker.pass_time(timedelta(minutes=11))
    assert len(worker.push.sent) == 2


async def test_a_repeated_event_is_one_push(stage: Stage, worker: Deliveries) -> None:
    """An event that is handled again after its push was sent, because its worker was killed, adds none."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    await comment(stage, bob, await ready_photo(stage.database, ann))
    await worker.send(stage)
    (entry,) = await inbox_of(stage.database, ann)
    event = NotificationChanged(user_id=ann.id, notification_id=entry.id, kind="comment", group=f"comment:{entry.id}")
    with handling(EventOrigin(id="1", due_at=datetime.now(UTC) - timedelta(minutes=1))):
        await worker.handlers[event.topic](event)
    await worker.pass_time(timedelta(minutes=11))
    assert len(worker.push.sent) == 1


async def test_an_hour_has_a_number_of_pushes(stage: Stage, worker: Deliveries) -> None:
    """Those beyond three within an hour are one summary afterwards, which is one of the next three; mails are not."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    for number in range(5):
        await comment(stage, bob, photo, str(number))
    await worker.send(stage)
    assert len(worker.push.sent) == 3
    pushes = [row for row in await worker.rows(ann) if row[0] == "push"]
    assert sorted(pushes[3:]) == [*[("push", "dropped", "cap")] * 2, ("push", "waiting", None)]
    await worker.pass_time(timedelta(minutes=59))
    assert worker.push.summaries == []
    await worker.pass_time(timedelta(minutes=2))
    assert worker.push.summaries == [(ann.id, 2)]
    assert len(worker.mail.sent) == 5
    for number in range(3):
        await comment(stage, bob, photo, f"{number} of the next hour")
    await worker.send(stage)
    assert len(worker.push.sent) == 5
    # What was seen until then is not in the next summary.
    marks = InboxMarks(stage.database, stage.notification_log)
    await marks.mark(ann.id, NotificationMark.SEEN, Selection())
    await worker.pass_time(timedelta(minutes=61))
    assert worker.push.summaries == [(ann.id, 2)]
    assert (await worker.rows(ann))[-1] == ("push", "dropped", "seen")


async def test_quiet_hours(stage: Stage, worker: Deliveries) -> None:
    """In quiet hours nothing goes out but what is urgent; when they are over, what waits does."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    async with stage.database.transaction() as tx:
        await notification_preferences.set_quiet_hours(tx, ann.id, ALWAYS_QUIET)
    await comment(stage, bob, photo)
    await worker.send(stage)
    # Also a delivery that was due before the quiet hours were set waits.
    await worker.pass_time(timedelta(days=1))
    assert worker.push.sent == worker.mail.sent == []
    async with stage.database.transaction() as tx:
        await notification_preferences.set_quiet_hours(tx, ann.id, None)
    await stage.database.fetch("UPDATE notifications SET updated_at = now() RETURNING id")
    await worker.pass_time(timedelta(days=1) - timedelta(hours=1))
    assert len(worker.mail.sent) == 1


async def test_only_followed_users(stage: Stage, worker: Deliveries) -> None:
    """With "following" for pushes, a like of a followed user is pushed, and that of another one is not."""
    ann, bob, cal = await users_with_devices(stage.database, "ann", "bob", "cal")
    await follow(stage.database, ann, bob)
    await choose(stage.database, ann, {(LIKE, Channel.PUSH): Audience.FOLLOWING})
    first, second = [await ready_photo(stage.database, ann) for _ in range(2)]
    await stage.like(cal, first)
    await stage.like(bob, second)
    await worker.send(stage)
    assert "cal liked your photo" not in worker.push.texts
    assert "bob liked your photo" in worker.push.texts


async def test_no_device_no_delivery(stage: Stage, worker: Deliveries) -> None:
    """For a user without a device or address nothing is stored."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    worker.push.unreachable.add(ann.id)
    worker.mail.unreachable.add(ann.id)
    await comment(stage, bob, await ready_photo(stage.database, ann))
    await worker.send(stage)
    assert await worker.rows(ann) == []
