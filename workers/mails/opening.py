"""The transport for the URL in the settings."""

from __future__ import annotations

from dataclasses import dataclass

from workers.mails.port import MailTransport
from workers.mails.smtp import TIMEOUT
from workers.mails.urls import CONSOLE, parse_sender, parse_smtp


@dataclass(frozen=True, kw_only=True, slots=True)
class MailSettings:
    """Where mails are sent to, and their sender.

    `public_url` is that of the service. `timeout` in seconds.
    """

    url: str = CONSOLE
    sender: str = "PicShare <no-reply@localhost>"
    timeout: float = TIMEOUT
    public_url: str = "http://127.0.0.1:8080"


def open_transport(settings: MailSettings) -> MailTransport:
    """Return the transport that is configured; it connects when it sends."""
    if settings.url.startswith(CONSOLE):
        from workers.mails.console import ConsoleTransport  # noqa: PLC0415 - only the adapter in use is loaded

        return ConsoleTransport()
    from workers.mails.smtp import SmtpTransport  # noqa: PLC0415

    return SmtpTransport(
        parse_smtp(settings.url),
        timeout=settings.timeout,
        # EHLO with the name of this machine would disclose it, and is refused if it is not a full one.
        local_hostname=parse_sender(settings.sender).domain,
    )
