"""Signed uploads for a blob store without URLs of its own: `PUT /api/v1/uploads/<id>/content?exp=…&sig=…`.

The signature is a MAC over the key, the expiry and the header fields that the client has to send: `Content-Type`,
`Content-Length`, and the hash in `Content-Digest` (RFC 9530). The hash is compared with that of the bytes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable

from server.edge.endpoint import PREFIX
from storage.blobs.presign import SignedRequest

DIGEST = "Content-Digest"


class LocalPresigner:
    """Signs and verifies uploads that the API receives itself; `public_url` is that of the service."""

    def __init__(self, secret: bytes, public_url: str, *, clock: Callable[[], float] = time.time) -> None:
        self._key = hmac.digest(secret, b"picshare signed upload", hashlib.sha256)
        self._public_url = public_url
        self._clock = clock

    def presign_put(self, key: str, *, content_type: str, size: int, sha256: str, expires_in: int) -> SignedRequest:
        """Return the request; the key is that of a whole upload."""
        expires = int(self._clock()) + expires_in
        signature = self._signature(key, expires, content_type, size, sha256)
        upload = key.split("/")[1]
        return SignedRequest(
            method="PUT",
            url=f"{self._public_url}{PREFIX}/uploads/{upload}/content?exp={expires}&sig={signature}",
            headers={"Content-Type": content_type, DIGEST: content_digest(sha256)},
        )

    def verify(self, key: str, *, expires: str, signature: str, content_type: str, size: int, sha256: str) -> bool:
        """Return whether a request is one that was signed, and has not expired."""
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12 and signature.isascii()):
            return False
        expected = self._signature(key, int(expires), content_type, size, sha256)
        return hmac.compare_digest(expected, signature) and int(expires) >= self._clock()

    def _signature(self, key: str, expires: int, content_type: str, size: int, sha256: str) -> str:
        text = "\n".join((key, str(expires), content_type, str(size), sha256))
        return base64.urlsafe_b64encode(hmac.digest(self._key, text.encode(), hashlib.sha256)).decode().rstrip("=")


def content_digest(sha256: str) -> str:
    """Return the header value for a SHA-256 in hex."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def sha256_of_digest(value: str) -> str | None:
    """Return the SHA-256 in hex of a header value, or None if it is not the one that `content_digest` makes."""
    if not (value.startswith("sha-256=:") and value.endswith(":")):
        return None
    try:
        digest = base64.b64decode(value[9:-1], validate=True)
    except ValueError:
        return None
    return digest.hex() if len(digest) == 32 else None
