"""Push subscriptions: browsers and apps of a user that get notifications while no page is open."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class PushPolicy(StrEnum):
    """Whose acts an app wants messages about, as Mastodon has it."""

    ALL = "all"
    FOLLOWED = "followed"  # accounts that the user follows
    FOLLOWER = "follower"  # accounts that follow the user
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class AppPush:
    """What messages to an app with Mastodon's interface are made of.

    `token` is the app's token, encrypted for this subscription; `alerts` are the kinds that it wants, by the names of
    Mastodon. The messages of a `legacy` one have the encoding aesgcm.
    """

    token: bytes = field(repr=False)
    alerts: frozenset[str]
    policy: PushPolicy
    legacy: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PushSubscription:
    """A browser or an `app` that gets push messages, as long as the session exists in which it has subscribed.

    `endpoint` is its address at a push service. It is a secret: with it, messages can be sent to the browser. `p256dh`
    is the browser's public key, an uncompressed point of 65 bytes, and `auth` the 16 bytes that it shares with PicShare
    (RFC 8291). With `hide_content`, names and comments stay out of its messages. `last_ok` is when the push service has
    accepted a message last, known to a day, and `failures` counts the refused messages since then. `language` is that
    of its messages, known where they are sent.
    """

    id: int
    user_id: int
    session_id: str
    endpoint: str = field(repr=False)
    p256dh: bytes = field(repr=False)
    auth: bytes = field(repr=False)
    hide_content: bool = False
    created_at: datetime
    last_ok: datetime | None = None
    failures: int = 0
    app: AppPush | None = None
    language: str = "en"
