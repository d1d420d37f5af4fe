"""Challenges of sign-ins: signed texts that name an account after its password, until the second factor is given.

A challenge is valid for five minutes and names the account, what the sign-in is for, and the password hash by a digest,
so that it ends when the password is changed. That it is used once, and how often it is tried, is kept in Redis.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from server.identity.errors import ChallengeError
from storage import ids

TTL = 300  # seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """A valid challenge: `nonce` is different in each, `credential` has a digest of the password hash.

    With `restore` the sign-in undoes the deletion of the account.
    """

    user_id: int
    restore: bool
    nonce: str
    credential: str


class Challenges:
    """Make and verify challenges."""

    def __init__(self, secret: bytes, *, clock: Callable[[], float] = time.time) -> None:
        self._key = hmac.digest(secret, b"picshare sign-in challenge", hashlib.sha256)
        self._clock = clock

    def mint(self, user_id: int, password_hash: str, *, restore: bool = False) -> str:
        """Return a new challenge of an account."""
        fields = (
            ids.encode(user_id),
            "restore" if restore else "sign-in",
            str(int(self._clock()) + TTL),
            secrets.token_hex(16),
            self.credential(password_hash),
        )
        text = ".".join(fields)
        return f"{text}.{self._mac(text)}"

    def verify(self, text: str) -> Challenge:
        """Return a challenge that is valid now; raise `ChallengeError` for any other text."""
        claims, _, mac = text.rpartition(".")
        if not text.isascii() or not hmac.compare_digest(self._mac(claims), mac):
            raise ChallengeError
        user, purpose, expires, nonce, credential = claims.split(".")
        if int(expires) <= self._clock():
            raise ChallengeError
        return Challenge(user_id=ids.decode(user), restore=purpose == "restore", nonce=nonce, credential=credential)

    def credential(self, password_hash: str) -> str:
        """Return what a challenge has of a password hash."""
        return self._mac(f"credential {password_hash}")[:22]

    def _mac(self, text: str) -> str:
        return base64.urlsafe_b64encode(hmac.digest(self._key, text.encode(), hashlib.sha256)).decode().rstrip("=")
