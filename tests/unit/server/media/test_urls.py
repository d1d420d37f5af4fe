"""Signed image URLs: what is accepted, and for how long."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from server.media.urls import ROUNDING, MediaUrls

SECRET = b"a secret for tests, 32 bytes long"
PATH = "/media/abc/thumb.jpg"
NOW = 1_800_000_123.0


class Urls:
    """URLs whose clock the test sets."""

    def __init__(self, now: float = NOW, *, secret: bytes = SECRET) -> None:
        self.now = now
        self.urls = MediaUrls(secret, ttl=3600, clock=lambda: self.now)

    def sign(self, path: str = PATH) -> tuple[str, str]:
        """Return the expiry and the signature of a path's URL."""
        url = urlsplit(self.urls.sign(path))
        assert url.path == path
        query = parse_qs(url.query)
        return query["exp"][0], query["sig"][0]


def test_a_signed_url_is_valid_for_an_hour() -> None:
    """It is valid for at least the time to live, and for ten minutes more at most; then it is not."""
    urls = Urls()
    expires, signature = urls.sign()
    assert 3600 <= urls.urls.seconds_left(PATH, expires, signature) <= 3600 + 600
    assert urls.urls.seconds_left(PATH, expires, signature) == int(int(expires) - NOW)
    urls.now = int(expires) - 1
    assert urls.urls.seconds_left(PATH, expires, signature) == 1
    for later in (0, 1, 1000):
        urls.now = int(expires) + later
        assert urls.urls.seconds_left(PATH, expires, signature) == 0


def test_a_url_stays_the_same_for_some_minutes() -> None:
    """URLs that are signed in the same ten minutes are equal, so that browsers find the image in their cache."""
    start = 1_800_000_000
    assert start % ROUNDING == 0
    first = Urls(start + 1).sign()
    assert Urls(start + 600).sign() == first
    assert Urls(start + 601).sign() != first


def test_a_url_of_the_far_future_is_valid() -> None:
    """An expiry of twelve digits is accepted."""
    urls = Urls(999_999_000_000.0)
    expires, signature = urls.sign()
    assert len(expires) == 12
    assert urls.urls.seconds_left(PATH, expires, signature) >= 3600


@pytest.mark.parametrize("expires", ["", "x", "-1", "1.5", " 1", "\u00b2", "\uff11", "9" * 13, "9" * 50, "9" * 5000])
def test_a_malformed_expiry_is_refused(expires: str) -> None:
    """No text in place of the expiry is valid, or an error, with any signature."""
    urls = Urls()
    assert urls.urls.seconds_left(PATH, expires, urls.sign()[1]) == 0


def test_what_is_signed_cannot_be_changed() -> None:
    """A signature belongs to one path, one expiry and one secret."""
    urls = Urls()
    expires, signature = urls.sign()
    assert urls.urls.seconds_left("/media/abc/feed.jpg", expires, signature) == 0
    assert urls.urls.seconds_left(PATH, str(int(expires) + 600), signature) == 0
    for forged in ("", "\u00e9", signature[:-1], f"{signature}A", "\u00e9" * 24, signature.swapcase()):
        assert urls.urls.seconds_left(PATH, expires, forged) == 0
    other = Urls(secret=SECRET[::-1])
    assert other.urls.seconds_left(PATH, expires, signature) == 0
    assert len(signature) == 24  # 18 bytes: 144 bits
