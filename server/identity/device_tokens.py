"""Tokens by which a browser is known: a signed list of the accounts that have signed in with it.

It is kept in a cookie for two years and serves one purpose: a sign-in with it causes no notice of a new device. It
gives no access.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from storage import ids

TTL = 2 * 365 * 86400  # seconds
MOST = 5  # accounts of one browser
_SEPARATOR = "~"
_PART = re.compile(r"[A-Za-z0-9_-]{24}")


class DeviceTokens:
    """Make and read tokens."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"picshare device", hashlib.sha256)

    def knows(self, token: str, user_id: int) -> bool:
        """Return whether an account has signed in with the browser that has this token."""
        return any(hmac.compare_digest(part, self._part(user_id)) for part in _parts(token))

    def extended(self, token: str, user_id: int) -> str:
        """Return the token with one account more; beyond `MOST` the one that signed in the longest ago is left out."""
        own = self._part(user_id)
        parts = [own, *(part for part in _parts(token) if part != own)]
        return _SEPARATOR.join(part.decode() for part in parts[:MOST])

    def _part(self, user_id: int) -> bytes:
        name = ids.encode(user_id).encode()
        return base64.urlsafe_b64encode(hmac.digest(self._key, name, hashlib.sha256)[:18])


def _parts(token: str) -> list[bytes]:
    # A cookie may have any bytes, and as many parts as fit into it.
    return [part.encode() for part in token.split(_SEPARATOR)[:MOST] if _PART.fullmatch(part)]
