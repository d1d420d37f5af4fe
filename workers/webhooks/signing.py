"""Signed messages of Standard Webhooks (https://www.standardwebhooks.com), version 1.0.0.

A secret says by its prefix how it signs: `whsec_` by HMAC-SHA256, with a key that the receiver has too, and `whsk_` by
ed25519, whose public key the receiver has.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from enum import StrEnum

from workers.webhooks import asymmetric, symmetric

_NEW_BYTES = 32  # of a new secret


class Scheme(StrEnum):
    """How a secret signs."""

    HMAC = "hmac"
    ED25519 = "ed25519"


_PREFIXES = {Scheme.HMAC: symmetric.PREFIX, Scheme.ED25519: asymmetric.PREFIX}


def new_secret(scheme: Scheme) -> str:
    """Return a random secret."""
    return _PREFIXES[scheme] + base64.b64encode(secrets.token_bytes(_NEW_BYTES)).decode()


def scheme_of(secret: str) -> Scheme:
    """Return how a secret signs."""
    return Scheme.ED25519 if secret.startswith(asymmetric.PREFIX) else Scheme.HMAC


def public_key(secret: str) -> str | None:
    """Return the public key of an asymmetric secret, None for a symmetric one, which has none."""
    return asymmetric.public_key(secret) if scheme_of(secret) is Scheme.ED25519 else None


def signed_headers(signing: Sequence[str], body: bytes, *, message: str, second: int) -> Mapping[str, str]:
    """Return the headers with the id of a message, the Unix second at which it is sent, and a signature by each secret.

    Several secrets sign while one is being replaced: a receiver accepts a message if one signature is valid. The id has
    no full stop, because full stops divide the signed content.
    """
    content = b"%s.%d.%s" % (message.encode(), second, body)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(second),
        "webhook-signature": " ".join(_signature(secret, content) for secret in signing),
    }


def _signature(secret: str, content: bytes) -> str:
    if scheme_of(secret) is Scheme.ED25519:
        return asymmetric.signature(secret, content)
    return symmetric.signature(secret, content)
