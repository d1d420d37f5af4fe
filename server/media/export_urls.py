"""Signed URLs of exports: `/api/v1/exports/<id>/archive?exp=<second>&sig=<signature>`.

The signature is a MAC over the export, its user and the second at which the archive expires, so that the URL is always
the same. With it, no session is needed: a program that downloads many gigabytes may take longer than a session lasts.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable

from server.edge.endpoint import PREFIX
from storage.exports import Export, ExportState
from storage.ids import encode


class ExportUrls:
    """Sign the URLs of archives and verify signatures."""

    def __init__(self, secret: bytes, *, clock: Callable[[], float] = time.time) -> None:
        self._key = hmac.digest(secret, b"picshare export url", hashlib.sha256)
        self._clock = clock

    def url(self, export: Export) -> str | None:
        """Return the path and query by which an archive is downloaded, or None if there is none now."""
        expires = self._expires(export)
        if expires is None:
            return None
        return f"{PREFIX}/exports/{encode(export.id)}/archive?exp={expires}&sig={self._signature(export, expires)}"

    def verify(self, export: Export, *, expires: str, signature: str) -> bool:
        """Return whether an archive is there and a signature is that of its URL."""
        expected = self._expires(export)
        if expected is None or expires != str(expected) or not signature.isascii():
            return False
        return hmac.compare_digest(self._signature(export, expected), signature)

    def _expires(self, export: Export) -> int | None:
        if export.state is not ExportState.READY or export.expires_at is None:
            return None
        expires = int(export.expires_at.timestamp())
        return expires if expires > self._clock() else None

    def _signature(self, export: Export, expires: int) -> str:
        text = f"{export.id}\n{export.user_id}\n{expires}"
        return base64.urlsafe_b64encode(hmac.digest(self._key, text.encode(), hashlib.sha256)).decode().rstrip("=")
