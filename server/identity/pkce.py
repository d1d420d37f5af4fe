"""Proof Key for Code Exchange (RFC 7636), by S256 alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def is_challenge(text: str) -> bool:
    """Return whether a text has the form of a challenge by S256."""
    return _CHALLENGE.fullmatch(text) is not None


def is_proof(verifier: str, challenge: str) -> bool:
    """Return whether a verifier is the one of a challenge."""
    if _VERIFIER.fullmatch(verifier) is None:
        return False
    sha256 = hashlib.sha256(verifier.encode()).digest()
    computed = base64.urlsafe_b64encode(sha256).rstrip(b"=").decode()
    return hmac.compare_digest(computed, challenge)
