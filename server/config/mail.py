"""The section `[mail]`: the server that mails are sent to."""

from __future__ import annotations

from pydantic import Field, field_validator

from server.config.section import Section
from workers.mails.opening import MailSettings
from workers.mails.urls import CONSOLE, parse_sender, parse_smtp

_DEFAULT = MailSettings()


class MailSection(Section):
    """Mail; see `docs/mail.md`."""

    url: str = Field(
        default=_DEFAULT.url,
        description="`console:` prints mails instead of sending them; `smtp://user:password@mail.example.com:587` "
        "sends them to a server, with STARTTLS where it is offered, and always with a password; `smtps://` begins with "
        "TLS. `?starttls=required` or `never` at the end overrides that.",
    )
    sender: str = Field(
        default=_DEFAULT.sender,
        description="Address that mails are from, as `PicShare <no-reply@photos.example.com>`.",
    )
    timeout: float = Field(
        default=_DEFAULT.timeout, gt=0, le=300, description="Seconds after which an attempt to send a mail has failed."
    )

    @field_validator("url")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value != CONSOLE:
            parse_smtp(value)  # raises an error that says what is wrong
        return value

    @field_validator("sender")
    @classmethod
    def _is_address(cls, value: str) -> str:
        parse_sender(value)
        return value
