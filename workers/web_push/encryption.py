"""Encryption of a push message for one browser: RFC 8291, in one record of the content encoding aes128gcm (RFC 8188).

The push service cannot read a message: its key comes from an agreement between a key pair that is made for this message
and the browser's, mixed with a secret that the browser has given to PicShare alone.
"""

from __future__ import annotations

import os
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from workers.web_push.keys import browser_key, point_of

RECORD_SIZE = 4096  # bytes; every push service accepts a body as large (RFC 8030, section 7.2)
SALT_BYTES = 16
_HEADER = struct.Struct(f"!{SALT_BYTES}sIB")  # salt, record size, length of the key id
_TAG_BYTES = 16
_KEY_ID_BYTES = 65  # the public key of the message
_LAST_RECORD = b"\x02"  # ends the text; padding might follow
MAX_PAYLOAD = RECORD_SIZE - _HEADER.size - _KEY_ID_BYTES - len(_LAST_RECORD) - _TAG_BYTES  # 3,993 bytes


def encrypt(
    payload: bytes,
    *,
    p256dh: bytes,
    auth: bytes,
    private_key: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """Return the body of the request that brings `payload` to the browser with the keys `p256dh` and `auth`.

    `private_key` and `salt` are random unless a test gives them: neither may ever be used twice. Raises `ValueError`
    for more than `MAX_PAYLOAD` bytes, and for keys that are none (`workers.web_push.keys`).
    """
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"a payload has at most {MAX_PAYLOAD} bytes; this has {len(payload)}")
    private_key = private_key or ec.generate_private_key(ec.SECP256R1())
    public = point_of(private_key.public_key())
    shared = private_key.exchange(ec.ECDH(), browser_key(p256dh))
    # RFC 8291, section 3.4: the secret of the browser takes part, so that the push service cannot pose as PicShare.
    keying = _derive(shared, salt=auth, info=b"WebPush: info\0" + p256dh + public, length=32)
    return encrypt_record(payload, keying=keying, salt=salt or os.urandom(SALT_BYTES), key_id=public)


def encrypt_record(payload: bytes, *, keying: bytes, salt: bytes, key_id: bytes) -> bytes:
    """Return `payload` as the only record of aes128gcm (RFC 8188, section 2), with its header."""
    key = _derive(keying, salt=salt, info=b"Content-Encoding: aes128gcm\0", length=16)
    # The nonce of the record with the number 0, which leaves it as it is.
    nonce = _derive(keying, salt=salt, info=b"Content-Encoding: nonce\0", length=12)
    header = _HEADER.pack(salt, RECORD_SIZE, len(key_id)) + key_id
    return header + AESGCM(key).encrypt(nonce, payload + _LAST_RECORD, None)


def _derive(secret: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)
