"""Recovery codes: texts of 80 random bits, each of which replaces a one-time code once. Only their SHA-256 is kept."""

from __future__ import annotations

import base64
import hashlib
import secrets

NUMBER = 10
_BYTES = 10
_GROUP = 4
_LENGTH = 16  # characters of base 32, without hyphens


def new_codes() -> list[str]:
    """Return new codes, as `abcd-efgh-ijkl-mnop`."""
    return [_grouped(base64.b32encode(secrets.token_bytes(_BYTES)).decode().lower()) for _ in range(NUMBER)]


def digest_of(code: str) -> bytes | None:
    """Return the digest under which a code is kept, None for a text that is none.

    Case, hyphens and blanks do not count.
    """
    text = "".join(code.split()).replace("-", "").lower()
    if len(text) != _LENGTH or not text.isascii() or not text.isalnum():
        return None
    # A slow hash protects what users choose; 80 random bits cannot be guessed.
    return hashlib.sha256(text.encode()).digest()


def _grouped(text: str) -> str:
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))
