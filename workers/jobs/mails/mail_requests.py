"""What the functions that write mails are given, and what they say about them.

A function gets a `MailRequest` and returns the content of the mail, or None if nothing is to be sent any more. It reads
what it needs when the mail is sent, in reads or transactions of its own; while the mail is on its way, none is open.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from storage.mails import Recipient, TokenPurpose
from storage.postgres.database import Database
from storage.stores.credentials import one_time_tokens
from workers.mails.letter import Letter
from workers.mails.tokens import MailTokens, digest_of


@dataclass(frozen=True, kw_only=True, slots=True)
class MailRequest:
    """A mail that is to be written: its recipient, its subject, and since when.

    `due_at` is when it was requested, `event_id` the id of the event. `public_url` is that of the service.
    """

    db: Database
    recipient: Recipient
    params: Mapping[str, Any]
    event_id: str
    due_at: datetime
    public_url: str
    tokens: MailTokens

    def url(self, path: str) -> str:
        """Return the absolute URL of a page."""
        return f"{self.public_url}{path}"

    async def one_time_url(
        self, purpose: TokenPurpose, path: str, *, ttl: timedelta, payload: Mapping[str, Any] | None = None
    ) -> str | None:
        """Return the URL of a page with a new token, which is valid for `ttl` since the request; None if that is over.

        The token is in the fragment, which no browser sends to a server or names as the Referer.
        """
        expires_at = self.due_at + ttl
        if expires_at <= datetime.now(UTC):
            return None
        user_id = self.recipient.user_id
        token = self.tokens.one_time(user_id, purpose, self.event_id)
        async with self.db.transaction() as tx:
            await one_time_tokens.add(
                tx, user_id, purpose, sha256=digest_of(token).sha256, expires_at=expires_at, payload=payload
            )
        return f"{self.url(path)}#{token}"


Compose = Callable[[MailRequest], Awaitable[Letter | None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class MailSpec:
    """How a kind of mail is written, and whether users can unsubscribe from it.

    With a `list_name`, or one that follows from the parameters, the mail has a link to unsubscribe; it is sent to
    verified addresses alone, and not to those who have. Without one it is about the account itself, and is sent to the
    address that the account has claimed. A kind that is `rationed` can be caused by anyone, so one address gets only
    some of them in an hour.
    """

    compose: Compose
    list_name: str | Callable[[Mapping[str, Any]], str] | None = None
    rationed: bool = False

    def list_of(self, params: Mapping[str, Any]) -> str | None:
        """Return the list to which a mail with these parameters belongs."""
        return self.list_name(params) if callable(self.list_name) else self.list_name
