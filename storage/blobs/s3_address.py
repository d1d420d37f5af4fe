"""The address of a bucket of an object store with the API of S3, and the keys of the account that uses it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, quote, urlsplit

SCHEME = "s3:"
DEFAULT_REGION = "us-east-1"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_OPTIONS = {"endpoint", "region"}


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Keys:
    """The keys of an account; `session_token` belongs to temporary ones."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Address:
    """A bucket. Without an `endpoint` it is one of Amazon, whose host name has the name of the bucket."""

    bucket: str
    region: str = DEFAULT_REGION
    endpoint: str | None = None

    @classmethod
    def parse(cls, url: str, *, region: str = DEFAULT_REGION) -> Self:
        """Return the address in a URL `s3://bucket?endpoint=…&region=…`; raise `ValueError`.

        `region` counts if the URL has none.
        """
        parts = urlsplit(url)
        if parts.scheme + ":" != SCHEME or "@" in parts.netloc:
            raise ValueError("it should be s3://bucket, with the keys in blobs.access_key and blobs.secret_key")
        if not _BUCKET.fullmatch(parts.netloc) or parts.path.strip("/"):
            raise ValueError("it should have the name of a bucket after s3://, and nothing else before the ?")
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        options = dict(pairs)
        if set(options) - _OPTIONS or len(options) < len(pairs) or not all(options.values()):
            raise ValueError("it should have endpoint=… and region=… after the ?, each at most once")
        return cls(
            bucket=parts.netloc,
            region=options.get("region", region),
            endpoint=checked_endpoint(options["endpoint"]) if "endpoint" in options else None,
        )

    @property
    def base(self) -> str:
        """Return the URL below which the objects are, without a slash at the end."""
        if self.endpoint is None:
            return f"https://{self.bucket}.s3.{self.region}.amazonaws.com"
        return f"{self.endpoint}/{self.bucket}"

    def url(self, key: str) -> str:
        """Return the URL of an object."""
        return f"{self.base}/{quote(key, safe='/~')}"


def checked_endpoint(endpoint: str) -> str:
    """Return the URL of a store without a slash at its end; raise `ValueError` if it is none."""
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or parts.query:
        raise ValueError("its endpoint should be http://host:port or https://host, without a user")
    return endpoint.rstrip("/")
