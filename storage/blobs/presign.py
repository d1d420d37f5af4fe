"""Requests that a client sends to the blob store itself, signed by PicShare beforehand: the port and Amazon's form.

The form is that of "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol
from urllib.parse import quote, urlsplit

from storage.blobs.s3_address import S3Address, S3Keys

_ALGORITHM = "AWS4-HMAC-SHA256"
_SERVICE = "s3"


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedRequest:
    """A request that the client has to send exactly so; it adds `Content-Length` and `Host` by itself."""

    method: str
    url: str
    headers: Mapping[str, str]


class Presigner(Protocol):
    """Signs requests to one store of blobs."""

    def presign_put(self, key: str, *, content_type: str, size: int, sha256: str, expires_in: int) -> SignedRequest:
        """Return a request that stores an object once, if it has this type, size in bytes and SHA-256 (in hex).

        The store refuses it `expires_in` seconds from now, and once there is an object under the key.
        """
        ...


class S3Presigner:
    """Presigner of a bucket of an object store with the API of S3."""

    def __init__(self, address: S3Address, keys: S3Keys, *, now: Callable[[], datetime] | None = None) -> None:
        self._address = address
        self._keys = keys
        self._now = now or (lambda: datetime.now(UTC))

    def presign_put(self, key: str, *, content_type: str, size: int, sha256: str, expires_in: int) -> SignedRequest:
        """Return a signed request; every header that describes the object is part of the signature."""
        headers = {
            "Content-Type": content_type,
            # A signed hash of the whole body (x-amz-content-sha256) would not be portable. This one is verified by all
            # stores that have been tried.
            "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(sha256)).decode(),
            "If-None-Match": "*",
        }
        signed = {**headers, "Content-Length": str(size)}
        url = signed_url(
            "PUT",
            self._address.url(key),
            signed,
            region=self._address.region,
            keys=self._keys,
            now=self._now(),
            expires_in=expires_in,
        )
        return SignedRequest(method="PUT", url=url, headers=headers)


def signed_url(
    method: str,
    url: str,
    headers: Mapping[str, str],
    *,
    region: str,
    keys: S3Keys,
    now: datetime,
    expires_in: int,
) -> str:
    """Return `url`, which has no query, with the signature of a request with these headers in its query."""
    parts = urlsplit(url)
    values = {"host": parts.netloc, **{name.lower(): value.strip() for name, value in headers.items()}}
    names = ";".join(sorted(values))
    moment, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    scope = f"{day}/{region}/{_SERVICE}/aws4_request"
    options = {
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{keys.access_key}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(expires_in),
        "X-Amz-SignedHeaders": names,
    }
    if keys.session_token is not None:
        options["X-Amz-Security-Token"] = keys.session_token
    query = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in sorted(options.items()))
    lines = "".join(f"{name}:{values[name]}\n" for name in sorted(values))
    request = f"{method}\n{parts.path}\n{query}\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
    text = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = _hmac(_signing_key(keys.secret_key, day, region), text).hex()
    return f"{url}?{query}&X-Amz-Signature={signature}"


@lru_cache(maxsize=8)
def _signing_key(secret_key: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, _SERVICE, "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
