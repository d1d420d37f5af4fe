"""Tokens with which a service gives its verdict about one photo, without an account.

A token names the photo, the webhook and the second of its expiry, and has a MAC over them. A new one is made for each
message and lasts for a week; which of them is used does not matter, since a webhook gives one verdict about a photo.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass

from storage import ids

TTL = 7 * 86400  # seconds


class VerdictTokenError(Exception):
    """Raised for a token that is not valid; `code` is stable, the text says what is wrong with it."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictClaims:
    """What a valid token permits: a verdict of a webhook's endpoint about a photo."""

    photo_id: int
    endpoint_id: int


class VerdictTokens:
    """Make and verify tokens; those of the `previous` secrets are accepted, so that the secret can be replaced."""

    def __init__(
        self,
        secret: bytes,
        *,
        previous: tuple[bytes, ...] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = [hmac.digest(each, b"picshare verdict token", hashlib.sha256) for each in (secret, *previous)]
        self._clock = clock

    def mint(self, photo_id: int, endpoint_id: int) -> str:
        """Return a token of an endpoint about a photo."""
        claims = f"{ids.encode(photo_id)}.{ids.encode(endpoint_id)}.{int(self._clock()) + TTL}"
        return f"{claims}.{_mac(self._keys[0], claims)}"

    def verify(self, token: str, *, photo_id: int) -> VerdictClaims:
        """Return what a token permits; raise `VerdictTokenError` unless it is for this photo and still valid."""
        claims, _, mac = token.rpartition(".")
        if not token.isascii() or not any(hmac.compare_digest(_mac(key, claims), mac) for key in self._keys):
            text = "The token is not one that PicShare has made. Send verdict_token of the message."
            raise VerdictTokenError("verdict_token_invalid", text)
        photo, endpoint, expires = claims.split(".")
        if ids.decode(photo) != photo_id:
            text = f"The token is for the photo {photo}. Send the one of the message about this photo."
            raise VerdictTokenError("verdict_for_another_photo", text)
        if int(expires) <= self._clock():
            text = "The token has expired: it lasts for seven days. Send the message again to get a new one."
            raise VerdictTokenError("verdict_token_expired", text)
        return VerdictClaims(photo_id=photo_id, endpoint_id=ids.decode(endpoint))


def _mac(key: bytes, claims: str) -> str:
    digest = hmac.digest(key, claims.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
