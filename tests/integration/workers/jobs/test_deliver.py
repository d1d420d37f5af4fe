"""News in an inbox leave the application once, if they are still wanted when they are due."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storage.deliveries import DeliveryChannel, Limits
from storage.errors import UnavailableError
from storage.events import NotificationChanged
from storage.ids import encode
from storage.models import User
from storage.notification_channels import Audience, Channel
from storage.notifications import NotificationKind, NotificationMark
from storage.quiet_hours import QuietHours
from storage.stores import (
    blocks,
    comment_deletion,
    comments,
    deliveries,
    delivery_claims,
    muted_subjects,
    notification_preferences,
)
from storage.stores.notification_marks import Selection
from storage.stores.notification_preferences import DigestFrequency
from tests.support.community import block, follow, ready_photo
from tests.support.deliveries import Deliveries, choose, users_with_devices
from tests.support.eventually import eventually
from tests.support.inboxes import inbox_of
from tests.support.stage import Stage
from workers.deliveries.port import SendOutcome, Sent
from workers.handlers import EventOrigin, handling
from workers.jobs.delivery_retention import DeliveryRetention
from workers.jobs.inbox_marks import InboxMarks

pytestmark = pytest.mark.engines
LIKE, COMMENT = NotificationKind.LIKE, NotificationKind.COMMENT
HALF_AN_HOUR = timedelta(minutes=30)
ALWAYS_QUIET = QuietHours(zone="UTC", begin=0, end=1439)


@pytest.fixture
def redis_url(real_redis_url: str) -> str:
    """One engine is enough here: deliveries are in PostgreSQL."""
    return real_redis_url


@pytest.fixture
def worker(stage: Stage) -> Deliveries:
    """The worker, with three pushes an hour, so that a few are many. All users have devices and addresses."""
    return Deliveries(stage.database, limits=Limits(pushes_per_hour=3))


async def comment(stage: Stage, author: User, photo: Any, text: str = "Lovely", reply_to: int | None = None) -> int:
    """Write a comment, and return its id."""
    async with stage.database.transaction() as tx:
        added, _ = await comments.add(tx, photo_id=photo.id, author_id=author.id, text=text, reply_to=reply_to)
    return added.id


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
    """The fourth push within an hour is dropped, one of the next hour is sent; mails are not counted."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    for number in range(5):
        await comment(stage, bob, photo, str(number))
    await worker.send(stage)
    assert len(worker.push.sent) == 3
    assert [row for row in await worker.rows(ann) if row[0] == "push"][3:] == [("push", "dropped", "cap")] * 2
    await worker.pass_time(timedelta(minutes=61))
    assert len(worker.mail.sent) == 5
    await comment(stage, bob, photo)
    await worker.send(stage)
    assert len(worker.push.sent) == 4


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


async def test_attempts_that_fail(stage: Stage, worker: Deliveries) -> None:
    """A failed attempt is repeated after a pause, five times at most; a device that is gone is not asked again."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    failed = Sent(outcome=SendOutcome.FAILED, error="no response")
    worker.push.results.extend([failed] * 5)
    await comment(stage, bob, photo)
    await worker.send(stage)
    for attempts in range(1, 6):
        assert len(worker.push.sent) == attempts
        await worker.pass_time(timedelta(seconds=29) if attempts == 1 else timedelta(0))
        assert len(worker.push.sent) == attempts
        await worker.pass_time(timedelta(minutes=33))
    assert (await worker.rows(ann))[0] == ("push", "failed", "no response")
    worker.push.results.append(Sent(outcome=SendOutcome.GONE, error="no device"))
    await comment(stage, bob, photo)
    await worker.send(stage)
    assert ("push", "dropped", "no device") in await worker.rows(ann)
    assert worker.metrics.results[:2] == [("push", "retried"), ("push", "retried")]


async def test_a_worker_that_is_killed(stage: Stage, worker: Deliveries) -> None:
    """What a killed worker had is another one's when the lease has expired, and no earlier; nothing is lost."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    await comment(stage, bob, await ready_photo(stage.database, ann))
    stage.deliver = worker.handlers
    await stage.pump()
    async with stage.database.transaction() as tx:
        killed = await delivery_claims.take(tx, ann.id)
    assert killed is not None
    assert len(killed.deliveries) == 1
    await worker.sending.send_due()
    assert worker.push.sent == []
    await worker.pass_time(delivery_claims.LEASE)
    assert len(worker.push.sent) == 1
    # If it was only slow, it does not take what is another one's by now.
    async with stage.database.transaction() as tx:
        assert not await delivery_claims.holds(tx, killed)
        assert not await delivery_claims.release(tx, killed)


async def test_an_outage_of_the_database_while_sending(stage: Stage, worker: Deliveries) -> None:
    """A notification whose result could not be stored is sent again after the lease."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    worker.push.results.append(UnavailableError("PostgreSQL", "away"))
    await comment(stage, bob, await ready_photo(stage.database, ann))
    with pytest.raises(UnavailableError):
        await worker.send(stage)
    await worker.pass_time(delivery_claims.LEASE)
    assert len(worker.push.sent) == 2
    assert (await worker.rows(ann))[0] == ("push", "sent", None)


async def test_turns_are_fair_and_each_delivery_is_sent_once(stage: Stage, worker: Deliveries) -> None:
    """A user with very many due deliveries does not keep others waiting; workers at once send each delivery once."""
    ann, bob, cal = await users_with_devices(stage.database, "ann", "bob", "cal")
    photo = await ready_photo(stage.database, ann)
    await comment(stage, bob, photo)
    (entry,) = (await worker_entries(stage, worker, ann))[:1]
    async with stage.database.transaction() as tx:
        await delivery_claims_many(tx, ann, 3 * delivery_claims.TURN, entry.id)
    await comment(stage, ann, await ready_photo(stage.database, cal))
    stage.deliver = worker.handlers
    await stage.pump()
    assert await delivery_claims.due_users(stage.database, limit=9) == [ann.id, cal.id]
    assert await worker.turns.take(ann.id)
    assert await delivery_claims.due_users(stage.database, limit=9) == [cal.id, ann.id]
    before = len(worker.push.sent)
    await asyncio.gather(*(worker.sending.send_due() for _ in range(4)))
    assert [user_id for user_id, _ in worker.push.sent[before:]] == [cal.id]
    states = await stage.database.fetch("SELECT DISTINCT state FROM deliveries WHERE channel = 'push'")
    assert {row["state"] for row in states} <= {"sent", "dropped"}


async def worker_entries(stage: Stage, worker: Deliveries, user: User) -> list[Any]:
    """Handle the events of the inbox alone, and return its entries."""
    del worker
    await stage.pump()
    return await inbox_of(stage.database, user)


async def delivery_claims_many(tx: Any, user: User, number: int, first: int) -> None:
    """Add due deliveries about notifications that do not exist."""
    for offset in range(number):
        delivery = deliveries.NewDelivery(
            channel=DeliveryChannel.PUSH,
            notification_id=first + offset,
            kind="comment",
            group=f"comment:{offset}",
            due_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        assert await deliveries.add(tx, user.id, delivery)


async def test_deliveries_run_and_wake(stage: Stage, worker: Deliveries) -> None:
    """A worker sends what is stored while it runs, without waiting for its next look."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    running = asyncio.create_task(worker.sending.run())
    try:
        await comment(stage, bob, await ready_photo(stage.database, ann))
        stage.deliver = worker.handlers
        await stage.pump()
        assert await eventually(lambda: worker.push.sent)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_old_deliveries_are_deleted(stage: Stage, worker: Deliveries) -> None:
    """Deliveries are deleted some days after they ended; those that wait are kept."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    await comment(stage, bob, await ready_photo(stage.database, ann))
    await worker.send(stage)
    await stage.database.fetch("UPDATE deliveries SET finished_at = finished_at - interval '15 days' RETURNING id")
    retention = DeliveryRetention(stage.database, kept=timedelta(days=14))
    assert await retention.purge() == 1
    assert await worker.rows(ann) == [("email", "waiting", None)]


async def test_digests(stage: Stage, worker: Deliveries) -> None:
    """A digest has what is new and unseen, if the user was not there; the next one is due on the next day."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    async with stage.database.transaction() as tx:
        await notification_preferences.set_digest(tx, ann.id, DigestFrequency.DAILY, zone="UTC")
        await deliveries.set_digest(tx, ann.id, datetime.now(UTC) + timedelta(hours=12))
    day = timedelta(hours=24)
    await stage.database.fetch("UPDATE users SET last_seen_at = now() - interval '9 days' RETURNING id")
    await worker.pass_time(day)
    assert worker.digests.sent == []  # nothing is new
    await stage.like(bob, photo)
    await stage.pump()
    await worker.pass_time(day)
    (entry,) = await inbox_of(stage.database, ann)
    assert worker.digests.sent == [(ann.id, [entry.id], 1)]
    await worker.pass_time(day)
    assert len(worker.digests.sent) == 1  # it was in the last one
    await stage.like((await users_with_devices(stage.database, "cal"))[0], photo)
    await stage.pump()
    await stage.database.fetch("UPDATE users SET last_seen_at = now() RETURNING id")
    await worker.pass_time(timedelta(0))
    await worker.pass_time(day)
    states = [row for row in await worker.rows(ann) if row[0] == "digest"]
    assert [row[1:] for row in states] == [
        ("dropped", "seen"), ("sent", None), ("dropped", "seen"), ("dropped", "visited"), ("waiting", None),
    ]  # fmt: skip
