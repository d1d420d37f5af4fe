"""Encryption of secrets that the database keeps, by AES-256-GCM with a key of the installation's secret."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class UnreadableError(Exception):
    """Raised for what was not encrypted with this key and for this owner: the installation's secret was replaced."""


class SecretBox:
    """Encrypts and decrypts secrets for a `purpose`; each belongs to an owner, and is no other's."""

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._cipher = AESGCM(hmac.digest(secret, f"picshare {purpose}".encode(), hashlib.sha256))

    def encrypt(self, plain: bytes, *, owner_id: int) -> bytes:
        """Return the encrypted secret, with its nonce."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, _owner(owner_id))

    def decrypt(self, encrypted: bytes, *, owner_id: int) -> bytes:
        """Return the secret; raise `UnreadableError`."""
        try:
            return self._cipher.decrypt(encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:], _owner(owner_id))
        except (InvalidTag, ValueError) as error:
            raise UnreadableError("The secret was encrypted with another key.") from error


def _owner(owner_id: int) -> bytes:
    return str(owner_id).encode()
