"""The content encoding aesgcm of draft-ietf-webpush-encryption-04, for which apps of Mastodon ask to this day.

It differs from RFC 8291 in the derivation of keys, and in that the salt and the public key are header fields.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from workers.web_push.encryption import MAX_PAYLOAD, SALT_BYTES
from workers.web_push.keys import browser_key, point_of

_NO_PADDING = b"\0\0"  # the length of the padding


@dataclass(frozen=True, kw_only=True, slots=True)
class LegacyBody:
    """An encrypted body, and what its header fields `Encryption` and `Crypto-Key` contain."""

    body: bytes
    salt: bytes
    public_key: bytes


def encrypt_legacy(payload: bytes, *, p256dh: bytes, auth: bytes) -> LegacyBody:
    """Return `payload` encrypted for the keys of a subscription, in one record.

    Raises `ValueError` for more than `MAX_PAYLOAD` bytes, and for keys that are none (`workers.web_push.keys`).
    """
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"a payload has at most {MAX_PAYLOAD} bytes; this has {len(payload)}")
    private_key, salt = ec.generate_private_key(ec.SECP256R1()), os.urandom(SALT_BYTES)
    public = point_of(private_key.public_key())
    shared = private_key.exchange(ec.ECDH(), browser_key(p256dh))
    keying = _derive(shared, salt=auth, info=b"Content-Encoding: auth\0", length=32)
    context = b"P-256\0" + _with_length(p256dh) + _with_length(public)
    key = _derive(keying, salt=salt, info=b"Content-Encoding: aesgcm\0" + context, length=16)
    nonce = _derive(keying, salt=salt, info=b"Content-Encoding: nonce\0" + context, length=12)
    body = AESGCM(key).encrypt(nonce, _NO_PADDING + payload, None)
    return LegacyBody(body=body, salt=salt, public_key=public)


def _with_length(point: bytes) -> bytes:
    return struct.pack("!H", len(point)) + point


def _derive(secret: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)
