"""The message (RFC 5322) of a mail: its header fields, and both forms of its content."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from typing import Any

from locales.catalogues import ENGLISH
from workers.mails.letter import Letter
from workers.mails.port import Envelope, MailRefusedError
from workers.mails.rendering import Footer, as_html, as_text


class _VerbatimHeader(UnstructuredHeader, BaseHeader):
    """A field that is written as it is: the encoding of long words would change a URL."""

    max_count = 1

    def fold(self, *, policy: Policy[Any]) -> str:
        """Return the field in one line."""
        return f"{self.name}: {self}{policy.linesep}"


_FIELDS = HeaderRegistry()
_FIELDS.map_to_type("list-unsubscribe", _VerbatimHeader)
_POLICY = SMTP.clone(header_factory=_FIELDS)
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_MAX_NAME = 100  # characters of a name in a header field


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """What makes a message recognisable: its id is the same each time that the same request is sent."""

    event_id: str
    sent_at: datetime


def build_message(
    letter: Letter,
    footer: Footer,
    *,
    sender: Address,
    address: str,
    name: str,
    identity: Identity,
    language: str = ENGLISH,
) -> EmailMessage:
    """Return the message to an address; raise `MailRefusedError` for one that cannot be written in a header field.

    With a URL to unsubscribe in the footer it has the fields of RFC 8058.
    """
    recipient = _recipient(address, name)
    message = EmailMessage(policy=_POLICY.clone(utf8=not recipient.username.isascii()))
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = one_line(letter.subject)
    message["Date"] = identity.sent_at
    message["Message-ID"] = f"<{identity.event_id}@{_ascii(sender.domain)}>"
    # RFC 3834: no answering machine responds to it. The second field is for those of Microsoft Exchange.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    if footer.unsubscribe_url is not None:
        message["List-Unsubscribe"] = f"<{footer.unsubscribe_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(as_text(letter, footer, language), cte="quoted-printable")
    message.add_alternative(as_html(letter, footer, language), subtype="html", cte="quoted-printable")
    # Setting the content removes such fields.
    message["Content-Language"] = language
    return message


def envelope_of(message: EmailMessage) -> Envelope:
    """Return the addresses of a message that has one sender and one recipient."""
    sender, recipient = (message[field].addresses[0] for field in ("From", "To"))
    return Envelope(sender=_spec(sender), recipient=_spec(recipient))


def one_line(text: str) -> str:
    """Return a text without line ends and other control characters, which would begin another header field."""
    return _BREAKS.sub(" ", text).strip()


def _recipient(address: str, name: str) -> Address:
    local, _, domain = address.rpartition("@")
    try:
        if not local or not domain:
            raise ValueError("a part is missing")  # noqa: TRY301 - as the library does for what it finds
        # The parts are given apart, so that the local part is quoted where its characters need it.
        return Address(one_line(name)[:_MAX_NAME], username=local, domain=_ascii(domain))
    except (ValueError, IndexError, MessageError) as error:
        raise MailRefusedError("the address cannot be written in a header field") from error


def _ascii(domain: str) -> str:
    # Mail servers without SMTPUTF8 know names in their ASCII form alone.
    return domain if domain.isascii() else domain.encode("idna").decode("ascii")


def _spec(address: Address) -> str:
    return str(address.addr_spec)
