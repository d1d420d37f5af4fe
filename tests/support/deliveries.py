"""Deliveries on a stage: channels that record what they send, the worker "deliver", and time that passes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from storage.deliveries import DeliveryChannel, Limits
from storage.errors import StorageError
from storage.event import Event
from storage.models import Photo, User
from storage.notification_channels import KINDS, Audience, Channel
from storage.notifications import Notification
from storage.postgres.database import Database
from storage.stores.comments import comments
from storage.stores.notifications import notification_preferences
from tests.support.community import new_users
from tests.support.stage import Stage
from workers.deliveries.port import NoDeliveryMetrics, NotificationChannel, SendOutcome, Sent
from workers.jobs.deliveries.deliver import DeliverHandlers
from workers.jobs.deliveries.delivery_sending import DeliverySending
from workers.jobs.deliveries.delivery_turns import DeliveryTurns
from workers.jobs.deliveries.digests import Digests
from workers.jobs.mails.notification_mails import NotificationDigest, NotificationMail

SENT = Sent(outcome=SendOutcome.SENT)


class RecordingChannel:
    """Sends nothing, and keeps what it was to send; `results` are returned one after the other, then successes.

    It reaches all users but those made `unreachable`, or with `reached` those alone.
    """

    def __init__(self) -> None:
        self.sent: list[tuple[int, Notification]] = []
        self.summaries: list[tuple[int, int]] = []
        self.results: deque[Sent | StorageError] = deque()
        self.unreachable: set[int] = set()
        self.reached: set[int] | None = None

    async def reaches(self, user_id: int) -> bool:
        """Return whether the user was not made unreachable."""
        return user_id not in self.unreachable and (self.reached is None or user_id in self.reached)

    async def send(self, user_id: int, entry: Notification) -> Sent:
        """Record a notification and return the next result."""
        self.sent.append((user_id, entry))
        result = self.results.popleft() if self.results else SENT
        if isinstance(result, StorageError):
            raise result
        return result

    async def send_summary(self, user_id: int, summary_id: int, number: int) -> Sent:
        """Record for whom a summary is, and of how many notifications."""
        self.summaries.append((user_id, number))
        return self.results.popleft() if self.results else SENT  # type: ignore[return-value]

    @property
    def texts(self) -> list[str]:
        """Return the sentences that were sent, in order; summaries are not among them."""
        return [entry.text for _, entry in self.sent]


class RecordingDigests:
    """Sends no digests, and keeps what would be in them."""

    def __init__(self, *events: Event) -> None:
        self.sent: list[tuple[int, list[int], int]] = []
        self._events = events

    async def reaches(self, user_id: int) -> bool:
        """Return True."""
        return True

    async def send(self, user_id: int, notification_ids: Any, *, total: int) -> Sent:
        """Record a digest."""
        self.sent.append((user_id, list(notification_ids), total))
        return Sent(outcome=SendOutcome.SENT, events=self._events)


class CountedResults(NoDeliveryMetrics):
    """Counts results by channel."""

    def __init__(self) -> None:
        self.results: list[tuple[str, str]] = []

    def delivery_ended(self, *, channel: str, result: str) -> None:
        """Record a result."""
        self.results.append((channel, result))


class Deliveries:
    """The worker "deliver" on a stage, whose events it handles with the others; it requests real `mails`."""

    def __init__(self, database: Database, *, limits: Limits | None = None, mails: bool = False) -> None:
        self.database = database
        self.push, self.mail, self.digests = RecordingChannel(), RecordingChannel(), RecordingDigests()
        self.metrics = CountedResults()
        channels: dict[DeliveryChannel, NotificationChannel] = {
            DeliveryChannel.PUSH: self.push,
            DeliveryChannel.EMAIL: NotificationMail(database) if mails else self.mail,
        }
        digests = Digests(database, NotificationDigest(database) if mails else self.digests)
        self.turns = DeliveryTurns(
            database, channels, digests, self.metrics, summaries=self.push, limits=limits or Limits()
        )
        self.sending = DeliverySending(database, self.turns, self.metrics)
        self.handlers = DeliverHandlers(
            database, channels, mail_delay=timedelta(minutes=30), notify=self.sending.notify
        ).handlers()

    async def send(self, stage: Stage) -> None:
        """Handle all events, then send everything that is due."""
        stage.deliver = self.handlers
        await stage.pump()
        await self.sending.send_due()

    async def pass_time(self, passed: timedelta) -> None:
        """Let everything that is stored be so much older, and send what is due then."""
        await self.database.fetch(
            "UPDATE deliveries SET due_at = due_at - $1::interval, created_at = created_at - $1::interval, "
            "finished_at = finished_at - $1::interval RETURNING id",
            passed,
        )
        await self.database.fetch(
            "UPDATE delivery_queues SET due_at = due_at - $1::interval, leased_until = leased_until - $1::interval "
            "RETURNING user_id",
            passed,
        )
        await self.database.fetch(
            "UPDATE notifications SET updated_at = updated_at - $1::interval RETURNING id", passed
        )
        await self.sending.send_due()

    async def rows(self, user: User) -> list[tuple[str, str, str | None]]:
        """Return channel, state and error of a user's deliveries, in the order in which they were added."""
        found = await self.database.fetch(
            "SELECT channel, state, last_error FROM deliveries WHERE user_id = $1 ORDER BY id", user.id
        )
        return [(row["channel"], row["state"], row["last_error"]) for row in found]


async def comment(stage: Stage, author: User, photo: Photo, text: str = "Lovely") -> int:
    """Write a comment, and return its id."""
    async with stage.database.transaction() as tx:
        added, _ = await comments.add(tx, photo_id=photo.id, author_id=author.id, text=text)
    return added.id


async def users_with_devices(database: Database, *names: str) -> list[User]:
    """Create accounts, each with a verified address and a browser that has subscribed to push messages."""
    accounts = await new_users(database, *names)
    for account in accounts:
        await database.fetch("UPDATE users SET email_verified_at = now() WHERE id = $1 RETURNING id", account.id)
        session: Any = await database.fetchval(
            "INSERT INTO sessions (shard, id, user_id) VALUES ($1::bigint & 1023, gen_random_uuid(), $1) RETURNING id",
            account.id,
        )
        await database.fetch(
            """
            INSERT INTO push_subscriptions (shard, id, user_id, session_id, endpoint, endpoint_sha256, p256dh, auth)
            VALUES ($1::bigint & 1023, $1, $1, $2, 'https://push.example', sha256($1::bigint::text::bytea),
                decode(repeat('00', 65), 'hex'), decode(repeat('00', 16), 'hex')) RETURNING id""",
            account.id,
            session,
        )
    return accounts


async def reach(database: Database, *accounts: User) -> None:
    """Let users want mails about everything, at verified addresses, so that each activity may leave the application."""
    for account in accounts:
        await database.fetch("UPDATE users SET email_verified_at = now() WHERE id = $1 RETURNING id", account.id)
        await choose(database, account, {(kind, Channel.EMAIL): Audience.EVERYONE for kind in KINDS})


async def choose(database: Database, user: User, chosen: Mapping[tuple[Any, Channel], Audience]) -> None:
    """Replace the preferences of a user."""
    async with database.transaction() as tx:
        await notification_preferences.set_preferences(tx, user.id, chosen)
