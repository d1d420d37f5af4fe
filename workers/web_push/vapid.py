"""The identity of the installation towards push services: VAPID (RFC 8292), one key pair and short-lived tokens.

A browser subscribes with the public key, so its push service accepts messages from the owner of the private key alone.
Another key would therefore make all subscriptions useless.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from yarl import URL

from workers.web_push.base64url import VAPID_KEY_BYTES, encode, vapid_key_bytes
from workers.web_push.keys import point_of

TOKEN_TTL = 12 * 3600  # seconds; push services refuse a token that is valid for more than a day
_RENEWED_BEFORE = 3600  # seconds before its end, so that no token expires on its way, and clocks may differ
_KEPT = 1000  # tokens, in case that every push service is allowed
_HEADER = {"typ": "JWT", "alg": "ES256"}


class VapidKey:
    """A key pair of the curve P-256; its text is the private key, 32 bytes in base64url."""

    def __init__(self, private_key: ec.EllipticCurvePrivateKey) -> None:
        self._private_key = private_key
        self.public = encode(point_of(private_key.public_key()))

    @classmethod
    def generate(cls) -> Self:
        """Return a new key pair."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the key pair of a text; raise `ValueError`, whose message never has the text."""
        secret = vapid_key_bytes(text)
        try:
            return cls(ec.derive_private_key(int.from_bytes(secret), ec.SECP256R1()))
        except ValueError as error:
            raise ValueError("it should be a number of the curve P-256") from error

    @property
    def text(self) -> str:
        """Return the private key in text. It is a secret."""
        return encode(self._private_key.private_numbers().private_value.to_bytes(VAPID_KEY_BYTES))

    def sign(self, content: bytes) -> bytes:
        """Return an ES256 signature (RFC 7518, section 3.4): two numbers of 32 bytes."""
        r, s = decode_dss_signature(self._private_key.sign(content, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(VAPID_KEY_BYTES) + s.to_bytes(VAPID_KEY_BYTES)


class VapidTokens:
    """The tokens for push services; one is kept for each, since a signature costs as much as a push.

    `contact` is a `mailto:` or `https:` URL by which a push service reaches the operator. `clock` has Unix time.
    """

    def __init__(self, key: VapidKey, *, contact: str | None, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._contact = contact
        self._clock = clock
        self._kept: OrderedDict[str, tuple[str, float]] = OrderedDict()

    @property
    def public_key(self) -> str:
        """Return the key that verifies the tokens, in base64url."""
        return self._key.public

    def authorization(self, endpoint: str) -> str:
        """Return the value of `Authorization` for an endpoint (RFC 8292, section 3)."""
        return f"vapid t={self.token(endpoint)}, k={self._key.public}"

    def token(self, endpoint: str) -> str:
        """Return the token for an endpoint; it is the same for all endpoints of one push service for 11 hours."""
        origin, now = str(URL(endpoint).origin()), self._clock()
        kept = self._kept.get(origin)
        if kept is not None and now < kept[1]:
            return kept[0]
        value = self._signed(origin, int(now) + TOKEN_TTL)
        self._kept[origin] = (value, now + TOKEN_TTL - _RENEWED_BEFORE)
        self._kept.move_to_end(origin)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return value

    def _signed(self, audience: str, expires: int) -> str:
        claims = {"aud": audience, "exp": expires, **({} if self._contact is None else {"sub": self._contact})}
        content = ".".join(encode(json.dumps(part, separators=(",", ":")).encode()) for part in (_HEADER, claims))
        return f"{content}.{encode(self._key.sign(content.encode()))}"
