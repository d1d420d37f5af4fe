"""Signed image URLs: what is accepted, and for how long."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs

import pytest

from server.media.urls import ROUNDING, MediaUrls, nginx_key

SECRET = b"a secret for tests, 32 bytes long"
PATH = "/media/r1/abc/"
NOW = 1_800_000_123.0


class Urls:
    """URLs whose clock the test sets."""

    def __init__(self, now: float = NOW, *, secret: bytes = SECRET, **options: Any) -> None:
        self.now = now
        self.urls = MediaUrls(secret, ttl=3600, clock=lambda: self.now, **options)

    def sign(self, path: str = PATH) -> tuple[str, str]:
        """Return the expiry and the signature of a path's URL."""
        query = parse_qs(self.urls.sign(path))
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
    assert urls.urls.seconds_left("/media/r2/abc/", expires, signature) == 0
    assert urls.urls.seconds_left(PATH, str(int(expires) + 600), signature) == 0
    for forged in ("", "\u00e9", signature[:-1], f"{signature}A", "\u00e9" * 24, signature.swapcase()):
        assert urls.urls.seconds_left(PATH, expires, forged) == 0
    other = Urls(secret=SECRET[::-1])
    assert other.urls.seconds_left(PATH, expires, signature) == 0
    assert len(signature) == 24  # 18 bytes: 144 bits


@pytest.mark.parametrize("form", ["picshare", "nginx"])
def test_the_secret_can_be_replaced(form: str) -> None:
    """What was signed with a previous secret stays valid, new URLs are signed with the new one."""
    new = Urls(secret=SECRET[::-1], form=form, previous=[SECRET])
    before = Urls(form=form).sign()
    assert new.urls.seconds_left(PATH, *before) > 0
    assert new.sign() == Urls(secret=SECRET[::-1], form=form).sign() != before
    assert Urls(secret=SECRET[::-1], form=form).urls.seconds_left(PATH, *before) == 0


def test_the_form_of_nginx() -> None:
    """It is the expression of nginx's secure_link, with a key of its own."""
    urls = Urls(form="nginx")
    expires, signature = urls.sign()
    digest = hashlib.md5(f"{expires}{PATH} {nginx_key(SECRET)}".encode(), usedforsecurity=False).digest()
    assert base64.urlsafe_b64decode(signature + "==") == digest
    assert urls.urls.seconds_left(PATH, expires, signature) >= 3600


@pytest.mark.parametrize(("form", "other"), [("picshare", "nginx"), ("nginx", "picshare")])
def test_the_form_can_be_changed(form: str, other: str) -> None:
    """Processes of both settings run for a while, and each serves the URLs of the other; also by a former secret."""
    assert Urls(form=form).urls.seconds_left(PATH, *Urls(form=other).sign()) >= 3600
    replaced = Urls(secret=SECRET[::-1], form=form, previous=[SECRET])
    assert replaced.urls.seconds_left(PATH, *Urls(form=other).sign()) >= 3600


def test_the_key_of_nginx_is_documented() -> None:
    """The key is HMAC-SHA256 of a fixed text in hex, which operators compute with openssl."""
    # printf 'picshare nginx media url' | openssl dgst -sha256 -hmac 'a secret for tests, 32 bytes long'
    assert nginx_key(SECRET) == "77d0988ab94eefcc637994e1363aaa210edf2151baf046e4c43059fdc642d122"
