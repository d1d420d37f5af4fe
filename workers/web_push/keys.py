"""Keys of browsers: points of the curve P-256, and secrets, as text in base64url."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from workers.web_push.base64url import decode

POINT_BYTES = 65  # an uncompressed point: 0x04 and two coordinates of 32 bytes
AUTH_BYTES = 16


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
