"""The worker "mail": what it sends to whom, what it tries again, and what it leaves out."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from storage.circuit import Circuit
from storage.event import Event
from storage.events import MailRequested, WebhookNoticed
from storage.ids import encode
from storage.limits.quotas import Quotas
from storage.mails import TokenPurpose
from storage.models import User
from storage.postgres.database import Database
from storage.redis.client import Redis
from storage.stores.accounts import email_changes, users
from storage.stores.credentials import one_time_tokens
from storage.stores.notifications import mail_opt_outs
from storage.stores.webhooks import webhook_endpoints
from storage.webhooks import EndpointScope
from tests.support.community import new_user
from tests.support.mails import Postbox
from workers.errors import Discard, Retry
from workers.handlers import EventOrigin, handling
from workers.jobs.mails.mail import CIRCUIT, Mailer, MailHandlers
from workers.jobs.upkeep.mail_retention import MailRetention
from workers.mails.port import MailDeferredError, MailRefusedError, MailUnavailableError
from workers.mails.tokens import MailTokens
from workers.mails.urls import parse_sender

pytestmark = pytest.mark.engines

TOKENS = MailTokens(b"s" * 32)


class Counts:
    """Metrics that are counted."""

    def __init__(self) -> None:
        self.results: Counter[tuple[str, str]] = Counter()

    def mail_handled(self, *, kind: str, result: str) -> None:
        """Count a result."""
        self.results[kind, result] += 1


class Desk:
    """The worker, with a postbox as its mail server."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self.box, self.metrics, self.circuit = Postbox(), Counts(), Circuit("mail", CIRCUIT)
        mailer = Mailer(
            self.box,
            sender=parse_sender("PicShare <no-reply@photos.example>"),
            public_url="https://photos.example",
            tokens=TOKENS,
            circuit=self.circuit,
            metrics=self.metrics,
        )
        self._handlers = MailHandlers(database, Quotas(redis), mailer).handlers()

    async def handle(self, event: Event, *, age: timedelta = timedelta(), event_id: str = "0190") -> None:
        """Handle an event that was due `age` ago."""
        with handling(EventOrigin(id=event_id, due_at=datetime.now(UTC) - age)):
            await self._handlers[event.topic](event)


@pytest.fixture
def desk(database: Database, redis: Redis) -> Desk:
    """The worker on real stores."""
    return Desk(database, redis)


@pytest.fixture
async def ann(database: Database) -> User:
    """A user with a verified address."""
    return await new_user(database, "ann")


def changed(user: User) -> MailRequested:
    """Return the request for a notice."""
    return MailRequested(user_id=user.id, kind="password_changed")


async def test_a_deferred_mail_is_tried_again_later_and_later(desk: Desk, ann: User) -> None:
    """Each attempt waits as long as the mail has waited in total, as greylisting asks; then it arrives as it was."""
    for age, delay in ((0, 30), (30, 30), (240, 240), (599, 599), (86_400, 600)):
        desk.box.errors = [MailDeferredError("450 greylisted")]
        with pytest.raises(Retry) as raised:
            await desk.handle(changed(ann), age=timedelta(seconds=age))
        assert raised.value.after == pytest.approx(delay, abs=2)
    await desk.handle(changed(ann), age=timedelta(seconds=900))
    mail = desk.box.one()
    assert (mail.recipient, mail.message["Message-ID"]) == ("ann@example.org", "<0190@photos.example>")
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert "List-Unsubscribe" not in mail.message
    assert desk.metrics.results == {("password_changed", "deferred"): 5, ("password_changed", "sent"): 1}


async def test_a_refused_mail_is_not_tried_again(desk: Desk, ann: User) -> None:
    """What the server refuses for good is discarded, with the reason for the log."""
    desk.box.errors = [MailRefusedError("550 unknown")]
    with pytest.raises(Discard, match="550 unknown"):
        await desk.handle(changed(ann))
    assert desk.metrics.results == {("password_changed", "refused"): 1}


async def test_a_server_that_is_away_is_left_alone_for_a_while(desk: Desk, ann: User) -> None:
    """After five failures in a row mails wait without a connection; greylisting is no such failure."""
    desk.box.errors = [MailDeferredError("450 greylisted")] * 6
    for _ in range(6):
        with pytest.raises(Retry):
            await desk.handle(changed(ann))
    desk.box.errors = [MailUnavailableError("refused")] * 6
    for _ in range(6):
        with pytest.raises(Retry):
            await desk.handle(changed(ann))
    assert len(desk.box.errors) == 1


async def test_an_account_that_is_gone_gets_no_mail(desk: Desk, ann: User, database: Database) -> None:
    """A request for a deleted account, or for a kind that this version does not know, sends nothing."""
    async with database.transaction() as tx:
        await users.remove(tx, ann.id)
    await desk.handle(changed(ann))
    assert desk.box.mails == []
    assert desk.metrics.results == {("password_changed", "skipped"): 1}
    with pytest.raises(ValueError, match="newsletter"):
        await desk.handle(MailRequested(user_id=ann.id, kind="newsletter"))


async def test_a_notice_goes_to_no_address_that_is_another_accounts(desk: Desk, ann: User, database: Database) -> None:
    """The notice about an account with a pending address is not sent: the address may be a stranger's."""
    async with database.transaction() as tx:
        other = await users.create(
            tx, username="other", email="ann@example.org", password_hash="-", display_name="", pending=True
        )
    await desk.handle(changed(other))
    assert desk.box.mails == []


async def test_owners_of_webhooks_get_mails_until_they_unsubscribe(desk: Desk, ann: User, database: Database) -> None:
    """The mail names the webhook, and has the fields of RFC 8058; one address that is not verified gets none."""
    async with database.transaction() as tx:
        endpoint = await webhook_endpoints.create(
            tx,
            owner_id=ann.id,
            url="https://hooks.example/shop?key=s3cret",
            description="",
            types=[],
            scope=EndpointScope.OWN,
            ordered=False,
            secret="secret",
        )
    event = WebhookNoticed(endpoint_id=endpoint.id, owner_id=ann.id, disabled=True)
    await desk.handle(event)
    mail = desk.box.one()
    assert mail.subject == "Your webhook “hooks.example” was disabled"
    assert f"https://photos.example/settings/webhooks/{encode(endpoint.id)}" in mail.text
    assert "s3cret" not in mail.text + mail.html
    url = str(mail.message["List-Unsubscribe"])
    assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    token = url.removeprefix("<https://photos.example/api/v1/mail/unsubscribe?token=").removesuffix(">")
    found = TOKENS.unsubscription(token)
    assert (found.user_id, found.list_name) == (ann.id, "webhook_disabled")
    async with database.transaction() as tx:
        await mail_opt_outs.add(tx, ann.id, "webhook_disabled")
    await desk.handle(event)
    assert desk.box.mails == []
    async with database.transaction() as tx:
        await mail_opt_outs.remove(tx, ann.id, "webhook_disabled")
        await tx.execute("UPDATE users SET email_verified_at = NULL WHERE id = $1", ann.id)
    await desk.handle(event)
    assert desk.box.mails == []
    assert desk.metrics.results == {("webhook_disabled", "sent"): 1, ("webhook_disabled", "skipped"): 2}


async def test_expired_links_and_changes_are_removed(database: Database, ann: User) -> None:
    """The janitor deletes links a week after they have expired, and changes of addresses when their time is over."""
    now = datetime.now(UTC)
    async with database.transaction() as tx:
        for age in (timedelta(days=8), timedelta(days=6), timedelta()):
            await one_time_tokens.add(
                tx, ann.id, TokenPurpose.VERIFY_EMAIL, sha256=str(age).encode(), expires_at=now - age
            )
        await email_changes.begin(tx, ann.id, "new@example.org")
    retention = MailRetention(database)
    assert [task.name for task in retention.tasks()] == ["mail_links", "email_changes"]
    assert await retention.purge_links() == 1
    assert await retention.purge_changes() == 0
    await database.fetch("UPDATE email_changes SET expires_at = now() - interval '1 second'")
    assert await email_changes.waiting(database, ann.id) is None
    assert await retention.purge_changes() == 1
