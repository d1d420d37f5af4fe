"""Tokens in the links of mails: one-time tokens, and those with which a list is left.

A one-time token is a MAC of the event that the mail is sent for. A worker makes it when it writes the mail, and stores
its SHA-256; so the token itself is in no queue, table or log, and the same again when the mail is sent again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from storage import ids
from storage.mails import TokenPurpose

_MAC_LENGTH = 43  # characters of 32 bytes in base 64


class MailTokenError(Exception):
    """Raised for a text that is no token of a mail."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenDigest:
    """Where a one-time token is stored: in the shard of its user, under its SHA-256."""

    shard: int
    sha256: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Unsubscription:
    """What a token to unsubscribe permits: that this user gets no mails of the list any more."""

    user_id: int
    list_name: str


class MailTokens:
    """Make and verify tokens with keys that are derived from the secret of the installation."""

    def __init__(self, secret: bytes) -> None:
        self._one_time_key = hmac.digest(secret, b"picshare one-time token", hashlib.sha256)
        self._list_key = hmac.digest(secret, b"picshare unsubscribe token", hashlib.sha256)

    def one_time(self, user_id: int, purpose: TokenPurpose, event_id: str) -> str:
        """Return the token of a user for what an event asks for."""
        text = f"{ids.encode(user_id)}.{purpose.value}.{event_id}"
        return ids.encode_shard(ids.shard_of(user_id)) + _mac(self._one_time_key, text)

    def unsubscribe(self, user_id: int, list_name: str) -> str:
        """Return the token with which a user leaves a list; it does not expire."""
        claims = f"{ids.encode(user_id)}.{list_name}"
        return f"{claims}.{_mac(self._list_key, claims)}"

    def unsubscription(self, token: str) -> Unsubscription:
        """Return what a token permits; raise `MailTokenError` unless it was made here."""
        claims, _, mac = token.rpartition(".")
        if not token.isascii() or not hmac.compare_digest(_mac(self._list_key, claims), mac):
            raise MailTokenError("The link is not complete. Open it as it is in the mail.")
        user, _, list_name = claims.partition(".")
        return Unsubscription(user_id=ids.decode(user), list_name=list_name)


def digest_of(token: str) -> TokenDigest:
    """Return where a one-time token is stored; raise `MailTokenError` for a text that can be none."""
    if len(token) != ids.SHARD_LENGTH + _MAC_LENGTH or not token.isascii():
        raise MailTokenError("The link is not complete. Open it as it is in the mail.")
    try:
        shard = ids.decode_shard(token[: ids.SHARD_LENGTH])
    except ids.BadIdError as error:
        raise MailTokenError("The link is not complete. Open it as it is in the mail.") from error
    return TokenDigest(shard=shard, sha256=hashlib.sha256(token.encode()).digest())


def _mac(key: bytes, text: str) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, text.encode(), hashlib.sha256)).decode().rstrip("=")
