"""A bucket of an object store with the API of S3, for tests: its address and the keys of an account that may use it."""

from __future__ import annotations

import contextlib
import itertools
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from subprocess import Popen
from urllib.parse import urlsplit

from storage.blobs.presign import signed_url
from storage.blobs.s3_address import S3Address, S3Keys

_numbers = itertools.count(1)
START_DEADLINE = 60.0  # seconds; an idle machine needs 4
# The form of the access key is that of Swift: an account, and a user of it.
ACCESS_KEY, SECRET_KEY = "test:picshare", "a-secret-for-tests-only"


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectStore:
    """The endpoint of a running store."""

    endpoint: str
    region: str = "us-east-1"
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY

    @property
    def keys(self) -> S3Keys:
        """Return the keys of the account."""
        return S3Keys(access_key=self.access_key, secret_key=self.secret_key)

    def address(self, bucket: str) -> S3Address:
        """Return the address of a bucket."""
        return S3Address.parse(self.url(bucket))

    def create_bucket(self) -> S3Address:
        """Create a bucket with a name of its own."""
        address = self.address(f"photos{next(_numbers)}")
        url = signed_url(
            "PUT", address.base, {}, region=self.region, keys=self.keys, now=datetime.now(UTC), expires_in=60
        )
        parts = urlsplit(url)
        with contextlib.closing(_connection(parts.port or 80, timeout=30)) as connection:
            connection.request("PUT", f"{parts.path}?{parts.query}")
            response = connection.getresponse()
            if response.status != 200:
                raise RuntimeError(f"the bucket was not created: {response.status} {response.read()!r}")
        return address

    def url(self, bucket: str) -> str:
        """Return the value of `blobs.url` for a bucket."""
        return f"s3://{bucket}?endpoint={self.endpoint}&region={self.region}"


def wait_for_answer(port: int, process: Popen[bytes], log: Path) -> None:
    """Wait until a store answers an unsigned request with an error of its own; raise RuntimeError with its log."""
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, HTTPException), contextlib.closing(_connection(port)) as connection:
            connection.request("GET", "/")
            if connection.getresponse().status < 500:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the object store did not start: {log.read_text(errors='replace')[-2_000:]}")


def _connection(port: int, timeout: float = 2) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", port, timeout=timeout)
