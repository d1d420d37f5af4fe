"""What every channel out of the application guarantees to the worker "deliver"."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from storage.models import User
from storage.notifications import Notification, NotificationKind
from storage.postgres.database import Database
from storage.stores.accounts import email_addresses
from storage.stores.credentials import sessions
from storage.stores.notifications import push_subscriptions
from tests.support.community import new_users, ready_photo, record_notification
from tests.support.deliveries import RecordingChannel
from tests.support.push import push_settings, running_push_service
from workers.deliveries.port import NotificationChannel, SendOutcome, Sent
from workers.jobs.deliveries.notification_pushes import NotificationPush
from workers.jobs.deliveries.pushes import PushDelivery
from workers.jobs.mails.notification_mails import NotificationMail
from workers.outbound.circuits import CircuitRegistry
from workers.outbound.client import OutboundClient
from workers.web_push.port import NoPushMetrics
from workers.web_push.sender import PushSender
from workers.web_push.vapid import VapidTokens

pytestmark = pytest.mark.engines


class Kit(Protocol):
    """A channel, with the user whom a test prepares for it."""

    channel: NotificationChannel

    async def prepare(self, user: User) -> None:
        """Let the channel reach a user."""
        ...

    def fail(self) -> None:
        """Let attempts fail, where the channel itself can notice that."""
        ...

    fails: bool


class FakeKit:
    """The fake of the tests."""

    fails = True

    def __init__(self) -> None:
        self.fake = RecordingChannel()
        self.channel: NotificationChannel = self.fake
        self.fake.reached = set()

    async def prepare(self, user: User) -> None:
        """Give the user a device."""
        assert self.fake.reached is not None
        self.fake.reached.add(user.id)

    def fail(self) -> None:
        """Let the next attempt fail."""
        self.fake.results.append(Sent(outcome=SendOutcome.FAILED, error="no response"))


class MailKit:
    """Mails: they are requested, and sent by another worker."""

    fails = False

    def __init__(self, database: Database) -> None:
        self.channel: NotificationChannel = NotificationMail(database)
        self._database = database

    async def prepare(self, user: User) -> None:
        """Verify the address of the user."""
        async with self._database.transaction() as tx:
            assert await email_addresses.verify(tx, user.email, user.id)

    def fail(self) -> None:
        """Do nothing."""


class PushKit:
    """Pushes to a push service on the loopback interface."""

    fails = True

    def __init__(
        self,
        database: Database,
        channel: NotificationChannel,
        browser: Callable[[], tuple[str, bytes, bytes]],
        fail: Callable[[], None],
    ) -> None:
        self.channel = channel
        self.fail = fail
        self._database = database
        self._browser = browser

    async def prepare(self, user: User) -> None:
        """Subscribe a browser of the user."""
        endpoint, p256dh, auth = self._browser()
        async with self._database.transaction() as tx:
            session = await sessions.open(
                tx, user.id, token_sha256=uuid.uuid4().bytes * 2, expires_at=datetime.now(UTC) + timedelta(days=1)
            )
            await push_subscriptions.subscribe(
                tx, user_id=user.id, session_id=session, endpoint=endpoint, p256dh=p256dh, auth=auth, hide_content=None
            )


@asynccontextmanager
async def push_kit(database: Database) -> AsyncIterator[PushKit]:
    """Yield the kit of pushes."""
    settings = push_settings()
    async with running_push_service() as service, OutboundClient(settings.policy, name="push") as client:
        tokens = VapidTokens(settings.key, contact=settings.contact)
        sender = PushSender(client, tokens, hosts=settings.hosts, circuits=CircuitRegistry(), metrics=NoPushMetrics())
        pushes = PushDelivery(
            database, sender, public_url=settings.public_url, token_cipher=settings.token_cipher, deadline=5.0
        )
        browser = service.browser()
        keys = (browser.endpoint, browser.p256dh, browser.auth)
        yield PushKit(database, NotificationPush(pushes), lambda: keys, lambda: service.answer(503))


@pytest.fixture(params=["fake", "mail", "push"])
async def kit(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Kit]:
    """Each channel."""
    match request.param:
        case "push":
            async with push_kit(database) as pushes:
                yield pushes
        case "mail":
            yield MailKit(database)
        case _:
            yield FakeKit()


async def liked(database: Database) -> tuple[User, User, Notification]:
    """Return two users without verified addresses, and the notification of the first about a like of the second."""
    ann, bob = await new_users(database, "ann", "bob")
    await database.fetch("UPDATE users SET email_verified_at = NULL RETURNING id")
    photo = await ready_photo(database, ann)
    async with database.transaction() as tx:
        entry = await record_notification(
            tx, recipient_id=ann.id, kind=NotificationKind.LIKE, actor_id=bob.id, photo_id=photo.id, source_id=photo.id
        )
    assert entry is not None
    return ann, bob, entry


async def test_a_channel_reaches_who_has_a_device_or_address(kit: Kit, database: Database) -> None:
    """It says so of a user with one, also after a message, and not of another user."""
    ann, bob, entry = await liked(database)
    assert not await kit.channel.reaches(ann.id)
    await kit.prepare(ann)
    assert await kit.channel.reaches(ann.id)
    assert not await kit.channel.reaches(bob.id)
    assert (await kit.channel.send(ann.id, entry)).outcome is SendOutcome.SENT
    assert await kit.channel.reaches(ann.id)


async def test_a_failure_is_a_result(kit: Kit, database: Database) -> None:
    """An attempt that fails raises nothing, and says why."""
    ann, _, entry = await liked(database)
    await kit.prepare(ann)
    kit.fail()
    sent = await kit.channel.send(ann.id, entry)
    assert sent.outcome is (SendOutcome.FAILED if kit.fails else SendOutcome.SENT)
    assert bool(sent.error) is kit.fails
