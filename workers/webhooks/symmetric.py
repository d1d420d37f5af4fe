"""Symmetric signatures of Standard Webhooks: `whsec_` secrets and `v1`. Imports no cryptography beyond Python's own."""

from __future__ import annotations

import base64
import hashlib
import hmac

PREFIX = "whsec_"


def secret_key(secret: str) -> bytes:
    """Return the key of a secret, `whsec_` and 24 to 64 bytes in base64; raise `ValueError`."""
    if not secret.startswith(PREFIX):
        raise ValueError(f"it should begin with {PREFIX}")
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    if not 24 <= len(key) <= 64:
        raise ValueError("it should have 24 to 64 bytes in base64")
    return key


def signature(secret: str, content: bytes) -> str:
    """Return the HMAC-SHA256 of a content, as the header has it."""
    return f"v1,{base64.b64encode(hmac.digest(secret_key(secret), content, hashlib.sha256)).decode()}"
