"""A mail server of tests, a transport that keeps mails, and the work of the queue "mail"."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from server.composition.workers import worker_context
from storage import events
from storage.circuit import Circuit
from storage.limits.quotas import Quotas
from tests.support.api import InspectableServices
from workers.handlers import EventOrigin, handling
from workers.jobs.mails.mail import Mailer, MailHandlers
from workers.mails import port
from workers.mails.port import MailTransport, NoMailMetrics
from workers.mails.urls import parse_sender

PASSWORD = "mail server's secret"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedMail:
    """A mail as its receiver gets it."""

    recipient: str
    message: EmailMessage

    @property
    def subject(self) -> str:
        """Return the subject."""
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """Return the plain text."""
        part = self.message.get_body(("plain",))
        assert part is not None
        return str(part.get_content())

    @property
    def html(self) -> str:
        """Return the HTML."""
        part = self.message.get_body(("html",))
        assert part is not None
        return str(part.get_content())

    @property
    def token(self) -> str:
        """Return the token of the link."""
        found = re.search(r"/[a-z-]+#([\w-]+)", self.text)
        assert found is not None, self.text
        return found[1]


@dataclass
class Postbox:
    """A transport that keeps mails; `errors` are raised first, one for each."""

    mails: list[ReceivedMail] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    async def send(self, message: EmailMessage, envelope: port.Envelope) -> None:
        """Keep a message, as its bytes say."""
        if self.errors:
            raise self.errors.pop(0)
        received = message_from_bytes(message.as_bytes(), policy=policy.SMTP)
        assert isinstance(received, EmailMessage)
        self.mails.append(ReceivedMail(recipient=envelope.recipient, message=received))

    async def check(self) -> str:
        """Return a text."""
        return "a postbox"

    def take(self) -> list[ReceivedMail]:
        """Return the mails since the last call."""
        taken, self.mails = self.mails, []
        return taken

    def one(self) -> ReceivedMail:
        """Return the only mail since the last call."""
        (mail,) = self.take()
        return mail


class MailServer:
    """An SMTP server on the loopback, whose answers a test can choose; None is the usual one.

    Each answer to MAIL, RCPT and DATA takes `delay` seconds.
    """

    def __init__(self) -> None:
        self.mails: list[ReceivedMail] = []
        self.port = 0
        self.rcpt: str | None = None
        self.data: str | None = None
        self.mail: str | None = None
        self.delay = 0.0
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_MAIL(  # noqa: N802 - the name that aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answer to MAIL FROM."""
        await asyncio.sleep(self.delay)
        if self.mail is not None:
            return self.mail
        envelope.mail_from, envelope.mail_options = address, options
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Answer to RCPT TO."""
        await asyncio.sleep(self.delay)
        if self.rcpt is not None:
            return self.rcpt
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a mail."""
        await asyncio.sleep(self.delay)
        if self.data is not None:
            return self.data
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.SMTP)
        assert isinstance(message, EmailMessage)
        self.mails.append(ReceivedMail(recipient=envelope.rcpt_tos[0], message=message))
        return "250 OK"

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        """Accept the one password."""
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


@asynccontextmanager
async def mail_server(
    *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, login: bool = False
) -> AsyncIterator[MailServer]:
    """Run a mail server."""
    server = MailServer()
    options: dict[str, Any] = {"hostname": "mail.test", "enable_SMTPUTF8": True, "ident": "test"}
    if login:
        options |= {"authenticator": server.authenticate, "auth_required": True, "auth_require_tls": False}

    def protocol() -> SMTP:
        with warnings.catch_warnings():
            # It warns of servers that take passwords without TLS, which is what a test needs.
            warnings.simplefilter("ignore")
            return SMTP(server, tls_context=starttls, **options)

    listening = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


@asynccontextmanager
async def silent_server(greeting: bytes = b"") -> AsyncIterator[int]:
    """Accept connections on a port, and answer nothing but a greeting."""
    writers: list[asyncio.StreamWriter] = []

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(greeting)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()


async def send_mails(
    services: InspectableServices,
    transport: MailTransport,
    *,
    age: timedelta = timedelta(),
    circuit: Circuit | None = None,
) -> None:
    """Handle the events of the queue "mail" until there are none, as if they had been requested `age` ago."""
    context = worker_context("mail", services.base, dataclasses.replace(services.stores))
    mailer = Mailer(
        transport,
        sender=parse_sender(context.mail.sender),
        public_url="https://photos.example",
        tokens=context.mail_tokens,
        circuit=circuit or Circuit("mail"),
        metrics=NoMailMetrics(),
    )
    handlers = MailHandlers(services.db, Quotas(services.stores.redis), mailer).handlers()
    while rows := await services.db.fetch(
        "DELETE FROM outbox WHERE queue = 'mail' RETURNING id, topic, body, event_id::text"
    ):
        for row in sorted(rows, key=lambda row: int(row["id"])):
            with handling(EventOrigin(id=row["event_id"], due_at=datetime.now(UTC) - age)):
                await handlers[row["topic"]](events.decode(row["topic"], row["body"]))
