"""URLs of buckets."""

from __future__ import annotations

import pytest

from storage.blobs.s3_address import S3Address


def test_a_bucket_of_amazon() -> None:
    """Without an endpoint, the host has the names of the bucket and the region."""
    address = S3Address.parse("s3://my-photos?region=eu-west-1")
    assert address.url("original/ab/x y") == "https://my-photos.s3.eu-west-1.amazonaws.com/original/ab/x%20y"


def test_another_store() -> None:
    """With an endpoint, the bucket is the first part of the path; the region of the environment is the default."""
    address = S3Address.parse("s3://photos?endpoint=http://127.0.0.1:8333/", region="garage")
    assert address.region == "garage"
    assert address.url("incoming/u/whole") == "http://127.0.0.1:8333/photos/incoming/u/whole"


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:photos",
        "s3://P",
        "s3://photos/folder",
        "s3://key:secret@photos",
        "s3://photos?endpoint=127.0.0.1:8333",
        "s3://photos?endpoint=ftp://host",
        "s3://photos?endpoint=http://user:password@host",
        "s3://photos?endpoint=",
        "s3://photos?endpoint=http://",
        "s3://photos?endpoint=http://:9000",
        "s3://photos?endpoint=http://host%3Fx=1",
        "s3://photos?region=",
        "s3://photos?region=a&region=b",
        "s3://photos?secret=x",
        "https://photos",
    ],
)
def test_what_is_no_bucket(url: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="it"):
        S3Address.parse(url)


def test_keys_in_the_address_are_refused_with_their_place() -> None:
    """An operator who writes the keys into the URL, which is logged, reads where they belong."""
    with pytest.raises(ValueError, match=r"blobs\.access_key"):
        S3Address.parse("s3://key:secret@photos")
