"""Asymmetric signatures of Standard Webhooks: ed25519 with `whsk_` and `whpk_` keys, and `v1a`."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PREFIX = "whsk_"
_PUBLIC_PREFIX = "whpk_"
_KEY_BYTES = 32


def signature(secret: str, content: bytes) -> str:
    """Return the signature of a content, as the header has it."""
    return f"v1a,{base64.b64encode(private_key(secret).sign(content)).decode()}"


def public_key(secret: str) -> str:
    """Return the public key of a secret in text, with which a receiver verifies."""
    return _PUBLIC_PREFIX + base64.b64encode(private_key(secret).public_key().public_bytes_raw()).decode()


def private_key(secret: str) -> Ed25519PrivateKey:
    """Return the key of a secret, `whsk_` and 32 bytes in base64; raise `ValueError`."""
    if not secret.startswith(PREFIX):
        raise ValueError(f"it should begin with {PREFIX}")
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    if len(key) != _KEY_BYTES:
        raise ValueError(f"it should have {_KEY_BYTES} bytes in base64")
    return Ed25519PrivateKey.from_private_bytes(key)
