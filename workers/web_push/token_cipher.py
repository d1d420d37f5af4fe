"""Encryption of apps' tokens, of which only the hash is stored elsewhere: messages to an app contain its token."""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class TokenCipher:
    """AES-256-GCM with a key that is derived from the secret of the installation; each text is of one subscription."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(hmac.digest(secret, b"picshare push token", hashlib.sha256))

    def encrypt(self, token: str, subscription_id: int) -> bytes:
        """Return a random nonce and the encrypted token, which no other subscription can use."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, token.encode(), _bound_to(subscription_id))

    def decrypt(self, data: bytes, subscription_id: int) -> str | None:
        """Return the token; None if it was encrypted with another secret or for another subscription."""
        nonce, text = data[:_NONCE_BYTES], data[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, text, _bound_to(subscription_id)).decode()
        except InvalidTag:
            return None


def _bound_to(subscription_id: int) -> bytes:
    return subscription_id.to_bytes(8)
