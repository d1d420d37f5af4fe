"""Models of request bodies about push subscriptions."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from server.edge.requests import RequestModel
from workers.web_push.keys import parse_auth, parse_browser_key


def _browser_key(text: str) -> str:
    parse_browser_key(text)
    return text


def _auth(text: str) -> str:
    parse_auth(text)
    return text


class PushKeys(RequestModel):
    """The keys of a browser's subscription, in base64url: its public key, 65 bytes, and a secret, 16 bytes."""

    p256dh: Annotated[str, Field(max_length=120), AfterValidator(_browser_key)]
    auth: Annotated[str, Field(max_length=40), AfterValidator(_auth)]


class PushSubscribe(RequestModel):
    """A browser's subscription, with the fields of `PushSubscription.toJSON()`; `expirationTime` is ignored.

    With `hide_content`, messages have neither names nor comments; without the field, that stays as it was.
    """

    endpoint: Annotated[str, Field(min_length=1, max_length=2048, examples=["https://web.push.apple.com/QGx"])]
    keys: PushKeys
    expiration_time: Annotated[float | None, Field(alias="expirationTime")] = None
    hide_content: bool | None = None
