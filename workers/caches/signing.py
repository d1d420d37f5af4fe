"""Signatures of Standard Webhooks (https://www.standardwebhooks.com), symmetric ones: `whsec_` and `v1`."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

_PREFIX = "whsec_"


def secret_key(secret: str) -> bytes:
    """Return the key of a secret, `whsec_` and 24 to 64 bytes in base64; raise `ValueError`."""
    if not secret.startswith(_PREFIX):
        raise ValueError(f"it should begin with {_PREFIX}")
    key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    if not 24 <= len(key) <= 64:
        raise ValueError("it should have 24 to 64 bytes in base64")
    return key


def signed_headers(key: bytes, body: bytes, *, message: str, second: int) -> Mapping[str, str]:
    """Return the headers with the id of a message, the Unix second at which it is sent, and its signature."""
    digest = hmac.digest(key, b"%s.%d.%s" % (message.encode(), second, body), hashlib.sha256)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(second),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
