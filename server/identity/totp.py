"""One-time codes by time, as in RFC 6238: six digits of HMAC-SHA-1, every 30 seconds another.

SHA-1 is what all authenticator applications compute; as part of an HMAC it is not broken.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
from urllib.parse import quote, urlencode

DIGITS = 6
PERIOD = 30  # seconds
WINDOW = 1  # steps before and after the present one that are accepted, for clocks that differ
_SECRET_BYTES = 20  # the length of the hash (RFC 4226, section 4)


def new_secret() -> bytes:
    """Return a new secret."""
    return secrets.token_bytes(_SECRET_BYTES)


def code_at(secret: bytes, step: int) -> str:
    """Return the code of a step, the number of whole periods since the Unix epoch (RFC 4226, section 5.3)."""
    digest = hmac.digest(secret, struct.pack(">Q", step), hashlib.sha1)
    offset = digest[-1] & 0x0F
    number = struct.unpack_from(">I", digest, offset)[0] & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def matching_step(secret: bytes, code: str, *, now: float) -> int | None:
    """Return the step whose code this is, of those that are accepted `now` in Unix seconds; None if it is of none."""
    if len(code) != DIGITS or not code.isascii() or not code.isdigit():
        return None
    present = int(now) // PERIOD
    # The latest first, so that a code that two steps have in common is used up for both.
    for step in range(present + WINDOW, present - WINDOW - 1, -1):
        if step >= 0 and hmac.compare_digest(code_at(secret, step), code):
            return step
    return None


def as_text(secret: bytes) -> str:
    """Return the secret as a user types it into an application, in base 32."""
    return base64.b32encode(secret).decode().rstrip("=")


def provisioning_uri(secret: bytes, *, account: str, issuer: str) -> str:
    """Return the `otpauth:` URI that authenticator applications read from a QR code."""
    label = quote(f"{issuer}:{account}", safe=":")
    return f"otpauth://totp/{label}?{urlencode({'secret': as_text(secret), 'issuer': issuer}, quote_via=quote)}"
