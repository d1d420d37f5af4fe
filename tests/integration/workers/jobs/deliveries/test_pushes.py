"""Notifications on their way to browsers: a real push service on the loopback interface, and what is recorded."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from aiohttp import web

from storage.ids import encode
from storage.models import User
from storage.notifications import Notification, NotificationKind
from storage.postgres.database import Database
from storage.push import PushSubscription
from storage.stores.credentials import sessions
from storage.stores.notifications import notifications, push_subscriptions
from storage.stores.notifications.push_subscriptions import MAX_FAILURES
from tests.support.community import new_users, ready_photo, record_notification
from tests.support.push import PUBLIC_URL, Browser, PushService, push_settings, running_push_service
from workers.jobs.deliveries.notification_pushes import NotificationPush
from workers.jobs.deliveries.pushes import PushDelivery, PushReport
from workers.outbound.circuits import CircuitRegistry
from workers.outbound.client import OutboundClient
from workers.web_push.notices import notice_of
from workers.web_push.port import NoPushMetrics
from workers.web_push.sender import PushSender
from workers.web_push.vapid import VapidTokens

pytestmark = pytest.mark.engines


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    """A push service."""
    async with running_push_service() as running:
        yield running


@pytest.fixture
async def delivery(database: Database) -> AsyncIterator[PushDelivery]:
    """What the worker sends with."""
    settings = push_settings()
    async with OutboundClient(settings.policy, name="push") as client:
        tokens = VapidTokens(settings.key, contact=settings.contact)
        sender = PushSender(client, tokens, hosts=settings.hosts, circuits=CircuitRegistry(), metrics=NoPushMetrics())
        yield PushDelivery(
            database, sender, public_url=settings.public_url, token_cipher=settings.token_cipher, deadline=1.0
        )


async def liked(database: Database) -> tuple[User, Notification]:
    """Return a user, and the notification of a like."""
    ann, bob = await new_users(database, "ann", "bob")
    photo = await ready_photo(database, ann)
    async with database.transaction() as tx:
        await record_notification(
            tx, recipient_id=ann.id, kind=NotificationKind.LIKE, actor_id=bob.id, photo_id=photo.id, source_id=photo.id
        )
    (entry,) = await notifications.inbox(database, ann.id, before=None, limit=10)
    return ann, entry


async def subscribed(
    database: Database, user: User, browser: Browser, *, hide_content: bool = False
) -> PushSubscription:
    """Return the subscription of a browser, in a session of its own."""
    async with database.transaction() as tx:
        session = await sessions.open(
            tx, user.id, token_sha256=uuid.uuid4().bytes * 2, expires_at=datetime.now(UTC) + timedelta(days=1)
        )
        return await push_subscriptions.subscribe(
            tx,
            user_id=user.id,
            session_id=session,
            endpoint=browser.endpoint,
            p256dh=browser.p256dh,
            auth=browser.auth,
            hide_content=hide_content,
        )


async def stored(database: Database, user: User) -> dict[int, PushSubscription]:
    """Return the subscriptions of a user by id."""
    return {each.id: each for each in await push_subscriptions.of_user(database, user.id)}


async def test_a_notification_reaches_all_browsers_of_its_user(
    database: Database, service: PushService, delivery: PushDelivery
) -> None:
    """Each as it has asked for, with the number of unseen entries, and no other user's."""
    ann, entry = await liked(database)
    assert not await delivery.reaches(ann.id)
    (bob,) = await new_users(database, "carol")
    shown = await subscribed(database, ann, service.browser("shown"))
    await subscribed(database, ann, service.browser("hidden"), hide_content=True)
    await subscribed(database, bob, service.browser("other"))
    assert await delivery.reaches(ann.id)
    assert await delivery.deliver(ann.id, notice_of(entry)) == PushReport(sent=2)
    assert {pushed.notification["title"] for pushed in service.messages} == {
        "bob liked your photo",
        "Your photo was liked",
    }
    assert entry.photo_id is not None
    for pushed in service.messages:
        assert pushed.notification["navigate"] == f"{PUBLIC_URL}/p/{encode(entry.photo_id)}"
        assert pushed.document["app_badge"] == 1
        assert (pushed.headers["TTL"], pushed.headers["Urgency"]) == ("14400", "low")
        assert pushed.headers["Topic"] == pushed.notification["tag"]
    assert (await stored(database, ann))[shown.id].last_ok is not None


async def test_a_summary_is_one_message_however_often_it_is_sent(
    database: Database, service: PushService, delivery: PushDelivery
) -> None:
    """It has the number, and opens the list of notifications."""
    (ann,) = await new_users(database, "ann")
    await subscribed(database, ann, service.browser("one"))
    push = NotificationPush(delivery)
    assert await push.send_summary(ann.id, 5, 7) == await push.send_summary(ann.id, 5, 7)
    (pushed,) = service.messages
    assert pushed.notification["title"] == "7 more notifications"
    assert pushed.notification["navigate"] == f"{PUBLIC_URL}/notifications"


async def test_browsers_that_are_gone_lose_their_subscriptions(
    database: Database, service: PushService, delivery: PushDelivery
) -> None:
    """Also while another one is away for a moment; what one has got is not sent to it again."""
    ann, entry = await liked(database)
    _, away, fine = [await subscribed(database, ann, service.browser(name)) for name in ("gone", "away", "fine")]
    statuses = {"gone": 410, "away": 503, "fine": 201}

    def respond(name: str) -> web.StreamResponse:
        return web.Response(status=statuses[name], headers={"Retry-After": "60"} if name == "away" else {})

    service.respond = respond
    report = await delivery.deliver(ann.id, notice_of(entry))
    assert report == PushReport(sent=1, later=1, retry_after=timedelta(seconds=60), error="status 410; status 503")
    assert (await stored(database, ann)).keys() == {away.id, fine.id}
    statuses["away"] = 201
    assert await delivery.deliver(ann.id, notice_of(entry)) == PushReport(sent=2)
    assert len(service.messages) == 4
    # Another like of the photo is news for both.
    await delivery.deliver(ann.id, notice_of(replace(entry, position=entry.position + 1024)))
    assert len(service.messages) == 6


async def test_a_subscription_whose_messages_are_refused_is_given_up_after_days(
    database: Database, service: PushService, delivery: PushDelivery
) -> None:
    """Not at once: the key may be wrong for an hour. A success in between begins the count again."""
    ann, entry = await liked(database)
    browser = await subscribed(database, ann, service.browser())
    service.answer(403, text="the key does not match")
    with structlog.testing.capture_logs() as events:
        report = await delivery.deliver(ann.id, notice_of(entry))
    assert report == PushReport(error="status 403")
    assert [(each["event"], each["status"], each["detail"]) for each in events] == [
        ("push_refused", 403, "the key does not match")
    ]
    async with database.transaction() as tx:
        for _ in range(MAX_FAILURES):
            assert await push_subscriptions.record(tx, ann.id, refused=[browser.id]) == 0
    assert (await stored(database, ann))[browser.id].failures == MAX_FAILURES + 1
    assert await push_subscriptions.number(database) == (1, 1)
    async with database.transaction() as tx:
        await push_subscriptions.record(tx, ann.id, sent=[browser.id])
    assert (await stored(database, ann))[browser.id].failures == 0
    await database.fetch("UPDATE push_subscriptions SET last_ok = now() - interval '4 days', failures = $1", 9)
    with structlog.testing.capture_logs() as events:
        await delivery.deliver(ann.id, notice_of(entry))
    assert [each["event"] for each in events] == ["push_refused", "push_subscriptions_ended"]
    assert await stored(database, ann) == {}


async def test_a_push_service_that_hangs_delays_no_other(
    database: Database, service: PushService, delivery: PushDelivery
) -> None:
    """The time for all browsers is bounded, and no connection of the database is held meanwhile."""
    ann, entry = await liked(database)
    await subscribed(database, ann, service.browser("hangs"))
    service.hang = True
    report = await delivery.deliver(ann.id, notice_of(entry))
    assert (report.sent, report.later, report.error) == (0, 1, "not sent within 1 s")
    assert len(await stored(database, ann)) == 1
