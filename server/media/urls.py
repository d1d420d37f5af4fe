"""Signed URLs of private images: `/media/r<recipe>/<sha256>/<variant>?exp=<second>&sig=<signature>`.

A signature is a MAC over the path without the variant's name, and the Unix second of its expiry, so that one signature
serves all variants of an image. The expiry is rounded up, so that the URL stays the same for some minutes and browsers
find the image in their cache.

There are two forms. `picshare` is keyed BLAKE2. `nginx` is what nginx's module `secure_link` verifies by itself,
`base64url(md5("<exp><path> <key>"))` without padding; its key is derived from the secret, because it is written into
nginx's configuration, from which the secret must not be known.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import time
from collections.abc import Callable, Sequence
from typing import Literal, get_args

ROUNDING = 600  # seconds
Form = Literal["picshare", "nginx"]
_Mac = Callable[[str, int], str]  # path, expiry -> signature


class MediaUrls:
    """Sign the paths of images and verify signatures; a signature is valid for at least `ttl` seconds.

    Signatures are made with `secret` in one form. Those in the other form are accepted as well, so that URLs stay valid
    while the form is changed, process by process, and those of the `previous` secrets, so that the secret can be
    replaced.
    """

    def __init__(
        self,
        secret: bytes,
        *,
        previous: Sequence[bytes] = (),
        form: Form = "picshare",
        ttl: int = 3600,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._mac = _mac(form, secret)
        self._accepted = [_mac(each, key) for key in (secret, *previous) for each in get_args(Form)]
        self._ttl = ttl
        self._clock = clock

    def sign(self, path: str) -> str:
        """Return the query with the expiry and the signature of a path, without a question mark."""
        expires = math.ceil((self._clock() + self._ttl) / ROUNDING) * ROUNDING
        return f"exp={expires}&sig={self._mac(path, expires)}"

    def seconds_left(self, path: str, expires: str, signature: str) -> int:
        """Return for how many seconds a signature is still valid; 0 when it is expired, forged or malformed."""
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12 and signature.isascii()):
            return 0
        if not any(hmac.compare_digest(mac(path, int(expires)), signature) for mac in self._accepted):
            return 0
        return max(0, int(int(expires) - self._clock()))


def nginx_key(secret: bytes) -> str:
    """Return the key for nginx's `secure_link_md5`: HMAC-SHA256 of a fixed text, in hex."""
    return hmac.digest(secret, b"picshare nginx media url", hashlib.sha256).hex()


def _mac(form: str, secret: bytes) -> _Mac:
    return _nginx_mac(nginx_key(secret)) if form == "nginx" else _picshare_mac(secret)


def _picshare_mac(secret: bytes) -> _Mac:
    key = hmac.digest(secret, b"picshare media url", hashlib.sha256)

    def mac(path: str, expires: int) -> str:
        # Keyed BLAKE2 (RFC 7693) is a MAC by itself and costs a third of HMAC: a page of a feed signs forty.
        digest = hashlib.blake2b(f"{path}\n{expires}".encode(), key=key, digest_size=18).digest()
        return base64.urlsafe_b64encode(digest).decode()

    return mac


def _nginx_mac(key: str) -> _Mac:
    def mac(path: str, expires: int) -> str:
        # MD5 is the only hash that secure_link knows. The known weakness, collisions, does not forge a suffix MAC of
        # a path that has only digits and a hash in it.
        digest = hashlib.md5(f"{expires}{path} {key}".encode(), usedforsecurity=False).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    return mac
