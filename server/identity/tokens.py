"""Access tokens: JWT (RFC 9068's `at+jwt`), HS256, checked against one pinned form.

Only a header of exactly {"alg": "HS256", "typ": "at+jwt"} is accepted: no other algorithm, no `kid`, no
`crit` (RFC 8725). Tokens that have passed once are remembered, because the same person comes back within
seconds; their end is checked every time.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt

from storage import ids
from storage.models import Role

ALGORITHM = "HS256"
TYPE = "at+jwt"
ISSUER = "picshare"
AUDIENCE = "picshare-api"
CACHED = 10_000  # tokens of about 400 bytes
_MAX_LENGTH = 2048
_SPELLING = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


class TokenError(Exception):
    """Say that an access token is not to be trusted; `expired` when it once was."""

    def __init__(self, message: str, *, expired: bool = False) -> None:
        super().__init__(message)
        self.expired = expired


@dataclass(frozen=True, kw_only=True, slots=True)
class Claims:
    """What a good access token says: who, in which session, as what, and until when (Unix seconds)."""

    user_id: int
    subject: str
    session: str
    role: Role
    expires_at: int


class AccessTokens:
    """Issue and verify access tokens that last `ttl` seconds."""

    def __init__(self, secret: bytes, *, ttl: int = 900, clock: Callable[[], float] = time.time) -> None:
        if len(secret) < 32:
            raise ValueError("the secret needs at least 32 bytes")
        self._key = hmac.digest(secret, b"picshare access token", hashlib.sha256)
        self._csrf_key = hmac.digest(secret, b"picshare csrf token", hashlib.sha256)
        self.ttl = ttl
        self._clock = clock
        self._known: OrderedDict[str, Claims] = OrderedDict()

    def issue(self, *, user_id: int, session: str, role: Role) -> str:
        """Return a new token for a session."""
        now = int(self._clock())
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": ids.encode(user_id),
            "sid": session,
            "role": role.value,
            "iat": now,
            "exp": now + self.ttl,
        }
        return jwt.encode(payload, self._key, algorithm=ALGORITHM, headers={"typ": TYPE})

    def verify(self, token: str) -> Claims:
        """Return the claims of a token of ours; raise `TokenError` for any other."""
        claims = self._known.get(token)
        if claims is None:
            claims = self._read(token)
            self._known[token] = claims
            if len(self._known) > CACHED:
                self._known.popitem(last=False)
        if claims.expires_at <= self._clock():
            self._known.pop(token, None)
            raise TokenError("the access token has expired", expired=True)
        return claims

    def csrf(self, session: str) -> str:
        """Return the token that proves that a cookie's request comes from a page of ours."""
        return hmac.digest(self._csrf_key, session.encode(), hashlib.sha256).hex()[:43]

    def _read(self, token: str) -> Claims:
        # The decoder passes over padding and foreign characters; one token has one spelling.
        if len(token) > _MAX_LENGTH or _SPELLING.fullmatch(token) is None:
            raise TokenError("the access token is not valid")
        try:
            if jwt.get_unverified_header(token) != {"alg": ALGORITHM, "typ": TYPE}:
                raise TokenError("the access token is not valid")
            payload: dict[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                # The end is checked by `verify` with its own clock, for remembered tokens too.
                options={
                    "require": ["iss", "aud", "sub", "sid", "exp", "iat"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
            return Claims(
                user_id=ids.decode(payload["sub"]),
                subject=payload["sub"],
                session=str(payload["sid"]),
                role=Role(payload["role"]),
                expires_at=int(payload["exp"]),
            )
        except (jwt.InvalidTokenError, ValueError, KeyError, TypeError) as error:
            raise TokenError("the access token is not valid") from error


def new_refresh_token() -> str:
    """Return a new refresh token: 256 random bits as text."""
    return secrets.token_urlsafe(32)


def refresh_digest(token: str) -> bytes:
    """Return what is stored of a refresh token; the token itself is kept nowhere."""
    return hashlib.sha256(token.encode()).digest()
