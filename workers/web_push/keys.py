"""Keys of browsers and of the installation: points of the curve P-256, and secrets, as text in base64url."""

from __future__ import annotations

import base64
import binascii
import re

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

POINT_BYTES = 65  # an uncompressed point: 0x04 and two coordinates of 32 bytes
AUTH_BYTES = 16
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+={0,2}")


def encode(data: bytes) -> str:
    """Return bytes in base64url without padding, as browsers and RFC 8292 have them."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Return the bytes of base64url, with padding or without; raise `ValueError` for any other text."""
    if not _BASE64URL.fullmatch(text):
        raise ValueError("it should be base64url: letters, digits, - and _")
    data = text.rstrip("=")
    try:
        return base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))
    except binascii.Error as error:
        raise ValueError("it should be base64url, and has a character too many or too few") from error


def point_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a public key as an uncompressed point, 65 bytes."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def browser_key(p256dh: bytes) -> ec.EllipticCurvePublicKey:
    """Return the public key of a browser; raise `ValueError` for anything but an uncompressed point of the curve.

    A point beside the curve would give away bits of the message's private key.
    """
    if len(p256dh) != POINT_BYTES:
        raise ValueError(f"it should have {POINT_BYTES} bytes, not {len(p256dh)}")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), p256dh)
    except ValueError as error:
        raise ValueError("it should be a point of the curve P-256") from error


def parse_browser_key(text: str) -> bytes:
    """Return the public key of a browser from its text, 65 bytes; raise `ValueError`."""
    point = decode(text)
    browser_key(point)
    return point


def parse_auth(text: str) -> bytes:
    """Return the secret of a browser from its text, 16 bytes; raise `ValueError`."""
    secret = decode(text)
    if len(secret) != AUTH_BYTES:
        raise ValueError(f"it should have {AUTH_BYTES} bytes, not {len(secret)}")
    return secret
