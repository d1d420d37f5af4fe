"""What every transport of mails promises, and what only SMTP can go through: servers that refuse, wait and hang."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.certificates import Certificate, self_signed
from tests.support.eventually import PROMPTLY
from tests.support.mails import PASSWORD, MailServer, Postbox, mail_server, silent_server
from workers.mails.console import ConsoleTransport
from workers.mails.letter import Button, Letter
from workers.mails.message import Identity, build_message, envelope_of
from workers.mails.port import MailDeferredError, MailRefusedError, MailTransport, MailUnavailableError
from workers.mails.rendering import Footer
from workers.mails.smtp import SmtpTransport
from workers.mails.urls import SmtpAddress, parse_sender

LINK = "https://photos.example/reset#" + "x" * 60


def letter(address: str = "ann@example.org") -> EmailMessage:
    """Return a message with other letters than ASCII, a long link, and a line that SMTP has to escape."""
    return build_message(
        Letter(
            subject="Ein neues Paßwort",
            heading="Ein neues Paßwort",
            paragraphs=["Für Sie – „nur“ heute.", ".", "Ende"],
            button=Button(label="Wählen", url=LINK),
        ),
        Footer(reason="You receive this mail because of a test."),
        sender=parse_sender("PicShare <no-reply@photos.example>"),
        address=address,
        name="Änn Böhm",
        identity=Identity(event_id="0190", sent_at=datetime(2026, 11, 20, tzinfo=UTC)),
    )


class Kit(NamedTuple):
    """A transport, and the recipient and text of each mail that has arrived behind it."""

    transport: MailTransport
    received: Callable[[], list[tuple[str, str]]]


def smtp(port: int, *, timeout: float = 10.0, **options: object) -> SmtpTransport:
    """Return a transport to the server at a port."""
    address = SmtpAddress(host="127.0.0.1", port=port, **options)  # type: ignore[arg-type]
    return SmtpTransport(address, timeout=timeout, local_hostname="photos.example")


@pytest.fixture(params=["smtp", "console", "postbox"])
async def kit(request: pytest.FixtureRequest) -> AsyncIterator[Kit]:
    """Each transport in turn."""
    async with AsyncExitStack() as stack:
        if request.param == "smtp":
            server = await stack.enter_async_context(mail_server())
            yield Kit(smtp(server.port), lambda: [(mail.recipient, mail.text) for mail in server.mails])
        elif request.param == "console":
            printed: list[str] = []
            yield Kit(ConsoleTransport(printed.append), lambda: [_printed(block) for block in printed])
        else:
            box = Postbox()
            yield Kit(box, lambda: [(mail.recipient, mail.text) for mail in box.mails])


def _printed(block: str) -> tuple[str, str]:
    first, _, *lines = (line.removeprefix("│").removeprefix(" ") for line in block.splitlines()[1:-1])
    found = re.match(r"Mail to (\S+): Ein neues Paßwort$", first)
    assert found is not None
    return found[1], "\n".join(lines) + "\n"


async def test_a_mail_arrives_whole(kit: Kit) -> None:
    """The recipient gets the text as it was written, with its link in one piece."""
    message = letter()
    await kit.transport.send(message, envelope_of(message))
    ((recipient, text),) = kit.received()
    body = message.get_body(("plain",))
    assert body is not None
    assert recipient == "ann@example.org"
    assert [line.rstrip() for line in text.splitlines()] == [line.rstrip() for line in body.get_content().splitlines()]
    assert LINK in text.splitlines()


async def test_a_transport_can_be_checked_without_sending(kit: Kit) -> None:
    """A check says what would happen to mails, and sends none."""
    assert await kit.transport.check()
    assert kit.received() == []


async def send(transport: MailTransport, address: str = "ann@example.org") -> None:
    """Send a mail."""
    message = letter(address)
    await transport.send(message, envelope_of(message))


ANSWERS = [
    ("rcpt", "450 4.2.0 <ann@example.org> Greylisted, come back later", MailDeferredError),
    ("rcpt", "550 5.1.1 <ann@example.org> User unknown", MailRefusedError),
    ("data", "451 4.3.0 Try again", MailDeferredError),
    ("data", "554 5.7.1 Spam", MailRefusedError),
    # Of the settings, and not of this mail: another sender would be accepted.
    ("mail", "550 5.7.1 You may not send as this", MailDeferredError),
    ("mail", "421 4.7.0 Too many connections", MailDeferredError),
]


@pytest.mark.parametrize(("command", "answer", "error"), ANSWERS)
async def test_what_a_server_says_decides_whether_a_mail_is_tried_again(
    command: str, answer: str, error: type[Exception]
) -> None:
    """4xx defers a mail; 5xx about its recipient or content is final. The error does not name the recipient."""
    async with mail_server() as server:
        setattr(server, command, answer)
        with pytest.raises(error) as raised:
            await send(smtp(server.port))
        assert type(raised.value) is error
        assert answer[:3] in str(raised.value)
        assert "ann" not in str(raised.value)
        setattr(server, command, None)
        await send(smtp(server.port))
        assert len(server.mails) == 1


@pytest.mark.parametrize("greeting", [b"", b"220 mail.test ESMTP\r\n", b"220-mail.test\r\n"])
async def test_a_server_that_hangs_ends_at_the_deadline(greeting: bytes) -> None:
    """A server that accepts the connection and then is silent costs no more than the deadline."""
    async with silent_server(greeting) as port:
        started = time.monotonic()
        with pytest.raises(MailUnavailableError, match="not answered in time"):
            await send(smtp(port, timeout=0.3))
        assert time.monotonic() - started < PROMPTLY


async def test_a_server_that_is_slow_at_each_step_ends_at_the_deadline() -> None:
    """The deadline is that of the whole mail, not of one answer."""
    async with mail_server() as server:
        server.delay = 0.3
        with pytest.raises(MailUnavailableError, match="not answered in time"):
            await send(smtp(server.port, timeout=0.7))
    assert server.mails == []


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    """A refused connection and an unknown host defer a mail."""
    async with silent_server() as port:
        pass
    with pytest.raises(MailUnavailableError, match="cannot be reached"):
        await send(smtp(port))
    unknown = SmtpTransport(SmtpAddress(host="mail.invalid", port=25), timeout=5)
    with pytest.raises(MailUnavailableError):
        await send(unknown)


async def test_bytes_that_are_no_smtp_make_a_server_unavailable() -> None:
    """A server of another protocol defers a mail, and its answer is not taken for one."""
    async with silent_server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        with pytest.raises(MailDeferredError):
            await send(smtp(port, timeout=0.5))


async def test_an_address_in_other_letters_needs_a_server_for_them() -> None:
    """SMTPUTF8 is used where the server has it; a domain in other letters is sent in its ASCII form."""
    async with mail_server() as server:
        await send(smtp(server.port), "jörg@münchen.example")
        await send(smtp(server.port), "ann@münchen.example")
    assert [mail.recipient for mail in server.mails] == ["jörg@xn--mnchen-3ya.example", "ann@xn--mnchen-3ya.example"]


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    """A certificate of the mail server."""
    return self_signed(tmp_path)


def trusting(server: MailServer, certificate: Certificate | None, **options: object) -> SmtpTransport:
    """Return a transport that trusts a certificate, or only those of public authorities."""
    context = ssl.create_default_context(cafile=None if certificate is None else str(certificate.path))
    address = SmtpAddress(host="127.0.0.1", port=server.port, **options)  # type: ignore[arg-type]
    return SmtpTransport(address, timeout=10, local_hostname="photos.example", tls_context=context)


async def test_tls_is_used_from_the_beginning_or_where_it_is_offered(certificate: Certificate) -> None:
    """With smtps:// a connection begins with TLS, with smtp:// it is switched to it; certificates are verified."""
    async with mail_server(tls=certificate.server) as server:
        await send(trusting(server, certificate, tls=True))
        with pytest.raises(MailUnavailableError):
            await send(trusting(server, None, tls=True))
        assert len(server.mails) == 1
    async with mail_server(starttls=certificate.server) as server:
        transport = trusting(server, certificate)
        assert "with TLS" in await transport.check()
        await send(transport)
        with pytest.raises(MailUnavailableError):
            await send(trusting(server, None))
        assert len(server.mails) == 1


async def test_a_password_is_never_sent_in_the_clear(certificate: Certificate) -> None:
    """Where STARTTLS is required and not offered, nothing is sent; with it, the server gets the password."""
    login = {"username": "picshare", "password": PASSWORD, "starttls": "required"}
    async with mail_server(login=True) as server:
        with pytest.raises(MailUnavailableError, match="STARTTLS extension not supported"):
            await send(trusting(server, certificate, **login))
        assert server.logins == []
        await send(trusting(server, certificate, **{**login, "starttls": "never"}))
        assert server.logins == [(b"picshare", PASSWORD.encode())]
    async with mail_server(starttls=certificate.server, login=True) as server:
        await send(trusting(server, certificate, **login))
        with pytest.raises(MailUnavailableError, match="refuses the user and password"):
            await send(trusting(server, certificate, **{**login, "password": "wrong"}))
        assert len(server.mails) == 1
