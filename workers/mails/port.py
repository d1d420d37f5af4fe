"""The port of mail: how a finished message leaves PicShare.

The adapters are `workers.mails.smtp` and `workers.mails.console`; both pass tests/contract/test_mails.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol


class MailError(Exception):
    """Base class of the errors of sending; the text is for the log, and names no address."""


class MailDeferredError(MailError):
    """Raised if a mail was not sent, and may be later: the server answers with 4xx, or it is unavailable."""


class MailUnavailableError(MailDeferredError):
    """Raised if the server cannot be reached, does not answer in time, or does not accept the settings."""


class MailRefusedError(MailError):
    """Raised if the mail server refuses a mail for good, with 5xx; another attempt would not help."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """The addresses with which a message is sent, which receivers do not see."""

    sender: str
    recipient: str


class MailTransport(Protocol):
    """Sends mails.

    Once `send` has returned, another server is responsible for the mail, or the console has it. A message that was sent
    may still raise `MailDeferredError`, if the answer was lost; it is then sent again, with the same Message-ID.
    """

    async def send(self, message: EmailMessage, envelope: Envelope) -> None:
        """Send a message, within the deadline of the transport; raise `MailDeferredError` or `MailRefusedError`."""
        ...

    async def check(self) -> str:
        """Return what a mail server says about itself, without sending anything; raises what `send` raises."""
        ...


class MailMetrics(Protocol):
    """Counts mails."""

    def mail_handled(self, *, kind: str, result: str) -> None:
        """Record the result of a request: `sent`, `skipped`, `deferred` or `refused`."""
        ...


class NoMailMetrics:
    """Records nothing."""

    def mail_handled(self, *, kind: str, result: str) -> None:
        """Do nothing."""
