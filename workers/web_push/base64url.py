"""Bytes as text in base64url (RFC 4648, section 5). Imports no cryptography, since the settings import it."""

from __future__ import annotations

import base64
import binascii
import re

VAPID_KEY_BYTES = 32  # of a private key
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+={0,2}")


def encode(data: bytes) -> str:
    """Return bytes in base64url without padding, as browsers and RFC 8292 have them."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Return the bytes of base64url, with padding or without; raise `ValueError` for any other text."""
    if not _BASE64URL.fullmatch(text):
        raise ValueError("it should be base64url: letters, digits, - and _")
    data = text.rstrip("=")
    try:
        return base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))
    except binascii.Error as error:
        raise ValueError("it should be base64url, and has a character too many or too few") from error


def vapid_key_bytes(text: str) -> bytes:
    """Return the bytes of a private key in text; raise `ValueError`, whose message never has the text."""
    secret = decode(text.strip())
    if len(secret) != VAPID_KEY_BYTES:
        raise ValueError(f"it should have {VAPID_KEY_BYTES} bytes in base64url, not {len(secret)}")
    return secret
