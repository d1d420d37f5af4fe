"""What is sent to browsers and apps, what becomes of it, and the ports for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from storage.push import PushSubscription


class PushUrgency(StrEnum):
    """How much a message is worth the battery of a phone (RFC 8030, section 5.3)."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


@dataclass(frozen=True, kw_only=True, slots=True)
class PushAction:
    """A button of a notification.

    `action` is a name and an id, as "follow:<id>", which the service worker turns into a request
    (static/js/worker/push_messages.js). Browsers that show messages without it open `navigate`.
    """

    action: str
    title: str
    navigate: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PushMessage:
    """A notification as a browser shows it. `navigate` is the URL that it opens; one of the same `tag` replaces it.

    `app_badge` is the number on the icon of the installed application, `language` that of the title.
    """

    title: str
    navigate: str
    tag: str
    body: str = ""
    icon: str | None = None
    app_badge: int | None = None
    language: str = "en"
    actions: tuple[PushAction, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class AppMessage:
    """A notification as an app with Mastodon's interface gets it: of its own account, which it knows by its `token`."""

    token: str = field(repr=False)
    notification_id: int
    kind: str  # by the name of Mastodon
    icon: str
    title: str
    body: str = ""


class PushOutcome(StrEnum):
    """What has become of a message; the texts are values of the label `result` of the metric."""

    SENT = "sent"  # the push service has accepted it
    GONE = "gone"  # the subscription has ended: delete it
    RETRY = "retry"  # not now: send it again later
    REFUSED = "refused"  # never in this form: it would be refused again


@dataclass(frozen=True, kw_only=True, slots=True)
class PushResult:
    """Result of sending a message to one subscription: the status of the response, if there was one.

    `retry_after` are the seconds after which a `RETRY` may be sent again, if the push service has given them. `detail`
    is for logs and has neither the endpoint nor a key.
    """

    outcome: PushOutcome
    status: int | None = None
    retry_after: float | None = None
    detail: str = ""


class PushPort(Protocol):
    """Sends messages to browsers and apps."""

    async def send(
        self,
        subscription: PushSubscription,
        message: PushMessage | AppMessage,
        *,
        topic: str,
        ttl: timedelta,
        urgency: PushUrgency,
    ) -> PushResult:
        """Send a message and return what has become of it; raise nothing that a push service could cause.

        A push service keeps the last message of a `topic` for a browser that is offline, for `ttl` at most.
        """
        ...


class PushMetrics(Protocol):
    """Counts messages."""

    def push_sent(self, *, result: str) -> None:
        """Record a message by its result: `sent`, `gone`, `retry`, or `refused`."""
        ...


class NoPushMetrics:
    """Records nothing."""

    def push_sent(self, *, result: str) -> None:
        """Do nothing."""
