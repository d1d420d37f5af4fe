"""Signed requests to an object store."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from storage.blobs.presign import S3Presigner, signed_url
from storage.blobs.s3_address import S3Address, S3Keys

# Example of Amazon's "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)".
KEYS = S3Keys(access_key="AKIAIOSFODNN7EXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
MOMENT = datetime(2013, 5, 24, tzinfo=UTC)
SIGNATURE = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
SHA = hashlib.sha256(b"photo").hexdigest()


def test_amazons_example() -> None:
    """The signature of Amazon's example is as documented."""
    url = signed_url(
        "GET",
        "https://examplebucket.s3.amazonaws.com/test.txt",
        {},
        region="us-east-1",
        keys=KEYS,
        now=MOMENT,
        expires_in=86400,
    )
    assert url == (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        f"&X-Amz-Signature={SIGNATURE}"
    )


def test_a_put_is_bound_to_everything() -> None:
    """Host, type, length, checksum and the condition are signed; the length is left to the client's HTTP library."""
    signer = S3Presigner(S3Address(bucket="photos", region="eu-central-1"), KEYS, now=lambda: MOMENT)
    request = signer.presign_put("incoming/u1/whole", content_type="image/png", size=5, sha256=SHA, expires_in=900)
    query = parse_qs(urlsplit(request.url).query)
    assert query["X-Amz-SignedHeaders"] == ["content-length;content-type;host;if-none-match;x-amz-checksum-sha256"]
    assert query["X-Amz-Expires"] == ["900"]
    assert request.url.startswith("https://photos.s3.eu-central-1.amazonaws.com/incoming/u1/whole?")
    assert request.method == "PUT"
    assert request.headers == {
        "Content-Type": "image/png",
        "If-None-Match": "*",
        "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(b"photo").digest()).decode(),
    }


def test_the_token_of_temporary_keys_is_signed() -> None:
    """The session token is a part of the query, and changes the signature."""
    temporary = S3Keys(access_key=KEYS.access_key, secret_key=KEYS.secret_key, session_token="a/token+=")
    urls = [
        signed_url("GET", "https://host/b/k", {}, region="r", keys=keys, now=MOMENT, expires_in=60)
        for keys in (KEYS, temporary)
    ]
    first, second = (parse_qs(urlsplit(url).query) for url in urls)
    assert second["X-Amz-Security-Token"] == ["a/token+="]
    assert first["X-Amz-Signature"] != second["X-Amz-Signature"]


def test_keys_are_not_printed() -> None:
    """The representation of keys, which may get into a log, has no secret."""
    keys = S3Keys(access_key="id", secret_key="secret-1", session_token="secret-2")
    assert "secret-" not in repr(keys)
