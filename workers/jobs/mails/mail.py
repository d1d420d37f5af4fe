"""The worker "mail": writes the mails that were requested, and sends them.

A mail that the server defers is tried again, each time after as long as it has waited in total, but at least every ten
minutes; the registry allows so many attempts that they take six hours. What the server refuses for good is not tried
again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

import structlog

from locales.catalogues import translate
from locales.sentences import sentence
from storage.circuit import Circuit, CircuitPolicy
from storage.events import MailRequested, PasswordResetRequested, WebhookNoticed
from storage.limits.quotas import QuotaPolicy, Quotas
from storage.mails import MailKind, Recipient
from storage.postgres.database import Database
from storage.stores.accounts import email_addresses
from storage.stores.notifications import mail_opt_outs, mails
from workers.errors import Discard, Retry
from workers.handlers import EventHandler, event_origin, on
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.mails.mail_kinds import MAIL_KINDS
from workers.jobs.mails.mail_requests import MailRequest
from workers.mails.letter import Letter
from workers.mails.localized_letter import localized
from workers.mails.message import Identity, build_message, envelope_of
from workers.mails.opening import open_transport
from workers.mails.port import (
    MailDeferredError,
    MailError,
    MailMetrics,
    MailRefusedError,
    MailTransport,
    MailUnavailableError,
)
from workers.mails.rendering import Footer
from workers.mails.tokens import MailTokens
from workers.mails.urls import parse_sender

CIRCUIT = CircuitPolicy(failures=5, pause=10.0, max_pause=120.0)
UNSUBSCRIBE_PATH = "/api/v1/mail/unsubscribe"
_FIRST_DELAY, _LONGEST_DELAY = 30.0, 600.0  # seconds; no event waits longer between two attempts
# Of mails that anyone can cause, to one address: more would be a way to annoy its owner.
RATION = QuotaPolicy(name="mails", limit=10, window_seconds=3600.0)

log = structlog.get_logger(__name__)


def retry_delay(age: timedelta) -> float:
    """Return the seconds until the next attempt at a mail that was requested so long ago."""
    return min(max(age.total_seconds(), _FIRST_DELAY), _LONGEST_DELAY)


class Mailer:
    """Writes mails and sends them; `public_url` is that of the service."""

    def __init__(
        self,
        transport: MailTransport,
        *,
        sender: Address,
        public_url: str,
        tokens: MailTokens,
        circuit: Circuit,
        metrics: MailMetrics,
    ) -> None:
        self._transport = transport
        self._sender = sender
        self.public_url = public_url
        self.tokens = tokens
        self._circuit = circuit
        self._metrics = metrics

    async def send(self, kind: MailKind, letter: Letter, request: MailRequest, *, list_name: str | None) -> None:
        """Send a mail; raise `Retry` or `Discard` if it was not sent."""
        try:
            await self._deliver(self._message(letter, request, list_name))
        except MailDeferredError as error:
            self._metrics.mail_handled(kind=kind, result="deferred")
            after = max(retry_delay(datetime.now(UTC) - request.due_at), self._circuit.retry_after)
            raise Retry(str(error), after=after) from error
        except MailRefusedError as error:
            self._metrics.mail_handled(kind=kind, result="refused")
            raise Discard(str(error)) from error
        self._metrics.mail_handled(kind=kind, result="sent")

    def skip(self, kind: MailKind, reason: str, *, event_id: str) -> None:
        """Count and log a mail that is not sent."""
        self._metrics.mail_handled(kind=kind, result="skipped")
        log.info("mail_skipped", kind=kind.value, reason=reason, event_id=event_id)

    def _message(self, letter: Letter, request: MailRequest, list_name: str | None) -> EmailMessage:
        recipient = request.recipient
        footer, language = self._footer(letter, recipient, list_name), recipient.language
        return build_message(
            localized(letter, language),
            replace(footer, reason=translate(footer.reason, language)),
            sender=self._sender,
            address=letter.to or recipient.address,
            # An address that is not the account's may be a stranger's, and no user may send a text of theirs to it.
            name=recipient.display_name if letter.to is None else "",
            identity=Identity(event_id=request.event_id, sent_at=request.due_at),
            language=language,
        )

    async def _deliver(self, message: EmailMessage) -> None:
        permit = self._circuit.admit()
        if permit is None:
            raise MailDeferredError("the mail server has not answered several times in a row")
        with permit:
            try:
                await self._transport.send(message, envelope_of(message))
            except MailUnavailableError:
                permit.failed()
                raise
            except MailError:
                permit.succeeded()  # the server has answered
                raise
            permit.succeeded()

    def _footer(self, letter: Letter, recipient: Recipient, list_name: str | None) -> Footer:
        if letter.to_another:
            return Footer(
                reason=sentence(
                    "You receive this mail because your address was entered at {public_url}.",
                    public_url=self.public_url,
                )
            )
        account = sentence("the account @{username} at {url}", username=recipient.username, url=self.public_url)
        if list_name is None:
            return Footer(reason=sentence("You receive this mail because of {account}.", account=account))
        token = self.tokens.unsubscribe(recipient.user_id, list_name)
        return Footer(
            reason=sentence("You receive this mail because of the settings of {account}.", account=account),
            unsubscribe_url=f"{self.public_url}{UNSUBSCRIBE_PATH}?token={token}",
        )


class MailHandlers:
    """Handlers of the queue "mail"."""

    def __init__(self, db: Database, quotas: Quotas, mailer: Mailer) -> None:
        self._db = db
        self._quotas = quotas
        self._mailer = mailer

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return {
            **on(MailRequested, self.requested),
            **on(PasswordResetRequested, self.reset_requested),
            **on(WebhookNoticed, self.webhook_noticed),
        }

    async def requested(self, event: MailRequested) -> None:
        """Send the mail of an event."""
        # A worker of an earlier version does not know every kind; a newer one will get the message.
        await self._send(event.user_id, MailKind(event.kind), event.params)

    async def webhook_noticed(self, event: WebhookNoticed) -> None:
        """Send a mail about a webhook to its owner."""
        kind = MailKind.WEBHOOK_DISABLED if event.disabled else MailKind.WEBHOOK_FAILING
        await self._send(event.owner_id, kind, {"webhook_id": event.endpoint_id})

    async def _send(self, user_id: int, kind: MailKind, params: Mapping[str, Any]) -> None:
        """Send a mail, unless there is nothing to say any more, or its recipient does not want it."""
        spec, origin = MAIL_KINDS[kind], event_origin()
        recipient = await email_addresses.recipient(self._db, user_id)
        if recipient is None:
            self._mailer.skip(kind, "account deleted", event_id=origin.id)
            return
        request = MailRequest(
            db=self._db,
            recipient=recipient,
            params=params,
            event_id=origin.id,
            due_at=origin.due_at,
            public_url=self._mailer.public_url,
            tokens=self._mailer.tokens,
        )
        list_name = spec.list_of(params)
        unwanted = await self._unwanted(list_name, recipient)
        letter = None if unwanted else await spec.compose(request)
        if letter is None or not (letter.to or recipient.claimed):
            self._mailer.skip(kind, unwanted or "nothing to send", event_id=origin.id)
            return
        if spec.rationed and not await self._within_ration(letter.to or recipient.address):
            self._mailer.skip(kind, "too many to one address", event_id=origin.id)
            return
        await self._mailer.send(kind, letter, request, list_name=list_name)

    async def reset_requested(self, event: PasswordResetRequested) -> None:
        """Request the mail with which the password of the account with an address is reset, if there is one."""
        found = await email_addresses.holders(self._db, event.address)
        user_id = found.claimed or found.pending
        if user_id is None:
            return
        async with self._db.transaction() as tx:
            mails.request(tx, user_id, MailKind.PASSWORD_RESET)

    async def _unwanted(self, list_name: str | None, recipient: Recipient) -> str | None:
        """Return why a recipient gets no mails of a list, None if they do."""
        if list_name is None:
            return None
        if not recipient.verified:
            return "address not verified"
        unsubscribed = list_name in await mail_opt_outs.lists_of(self._db, recipient.user_id)
        return "unsubscribed" if unsubscribed else None

    async def _within_ration(self, address: str) -> bool:
        quota = await self._quotas.take(RATION, f"mail:{address.lower()}", 1)
        return quota.allowed


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "mail"."""
    mailer = Mailer(
        open_transport(context.mail),
        sender=parse_sender(context.mail.sender),
        public_url=context.mail.public_url,
        tokens=context.mail_tokens,
        circuit=context.circuits.circuit("mail", CIRCUIT),
        metrics=context.mail_metrics,
    )
    yield MailHandlers(context.db, context.quotas, mailer).handlers()
