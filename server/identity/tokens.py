"""Access tokens: JWT (RFC 9068's `at+jwt`) with HS256, verified against one pinned form; and refresh tokens.

Only the header {"alg": "HS256", "typ": "at+jwt"} is accepted: no other algorithm, no `kid`, no `crit` (RFC 8725).
Verified tokens are cached, because clients send many requests with the same one; the expiry is checked every time.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import jwt

from server.identity.rate_limits import address_subject
from storage import ids
from storage.models import Role

ALGORITHM = "HS256"
TYPE = "at+jwt"
ISSUER = "picshare"
AUDIENCE = "picshare-api"
CACHED = 10_000  # tokens of about 400 bytes
_MAX_LENGTH = 2048
_REFRESH_LENGTH = 43  # of 32 random bytes in base 64
_SPELLING = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


class TokenError(Exception):
    """An access token is not valid; `expired` when it was valid once."""

    def __init__(self, message: str, *, expired: bool = False) -> None:
        super().__init__(message)
        self.expired = expired


@dataclass(frozen=True, kw_only=True, slots=True)
class Claims:
    """The claims of a valid access token; `subject` is the user's id as text, `expires_at` in Unix seconds.

    One that is `restricted` is of a suspended account: it is for the few requests that this may send. `scopes` are what
    an opaque token permits, and `client_id` is its application; None for the token of a session that a user signed in
    to.
    """

    user_id: int
    subject: str
    session: str
    role: Role
    expires_at: int
    restricted: bool = False
    scopes: frozenset[str] | None = None
    client_id: int | None = None


class AccessTokens:
    """Issue and verify access tokens that are valid for `ttl` seconds."""

    def __init__(self, secret: bytes, *, ttl: int, clock: Callable[[], float] = time.time) -> None:
        if len(secret) < 32:
            raise ValueError("the secret must have at least 32 bytes")
        self._key = hmac.digest(secret, b"picshare access token", hashlib.sha256)
        self._csrf_key = hmac.digest(secret, b"picshare csrf token", hashlib.sha256)
        self.ttl = ttl
        self._clock = clock
        self._verified: OrderedDict[str, Claims] = OrderedDict()

    def issue(self, *, user_id: int, session: str, role: Role, restricted: bool = False) -> str:
        """Return a new token for a session; a `restricted` one is for the user of a suspended account."""
        now = int(self._clock())
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": ids.encode(user_id),
            "sid": session,
            "role": role.value,
            "iat": now,
            "exp": now + self.ttl,
            **({"restricted": True} if restricted else {}),
        }
        return jwt.encode(payload, self._key, algorithm=ALGORITHM, headers={"typ": TYPE})

    def verify(self, token: str) -> Claims:
        """Return the claims of a token that this service issued; raise `TokenError` for any other."""
        claims = self._verified.get(token)
        if claims is None:
            claims = self._decode(token)
            self._verified[token] = claims
            # The oldest leaves first: it expires first, too.
            if len(self._verified) > CACHED:
                self._verified.popitem(last=False)
        if claims.expires_at <= self._clock():
            self._verified.pop(token, None)
            raise TokenError("The access token has expired. Refresh it.", expired=True)
        return claims

    def csrf(self, session: str) -> str:
        """Return the CSRF token of a session, which only pages of this origin can send back."""
        return hmac.digest(self._csrf_key, session.encode(), hashlib.sha256).hex()[:43]

    def _decode(self, token: str) -> Claims:
        # The decoder ignores padding and invalid characters; without this check a token would have many spellings.
        if len(token) > _MAX_LENGTH or _SPELLING.fullmatch(token) is None:
            raise TokenError("The access token is not valid. Sign in again.")
        try:
            if jwt.get_unverified_header(token) != {"alg": ALGORITHM, "typ": TYPE}:
                raise TokenError("The access token is not valid. Sign in again.")
            payload: dict[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                # The expiry is checked by `verify` with its own clock, for cached tokens too.
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
                restricted=bool(payload.get("restricted")),
            )
        except (jwt.InvalidTokenError, ValueError, KeyError, TypeError) as error:
            raise TokenError("The access token is not valid. Sign in again.") from error


def new_refresh_token(shard: int) -> str:
    """Return a new refresh token: the shard of its user in two characters, and 256 random bits as text."""
    return ids.encode_shard(shard) + secrets.token_urlsafe(32)


def refresh_token_shard(token: str) -> int | None:
    """Return the shard in a refresh token, or None for one of the version before, which has none.

    Raises `TokenError` for a text that is neither.
    """
    if len(token) == _REFRESH_LENGTH:
        return None
    if len(token) == ids.SHARD_LENGTH + _REFRESH_LENGTH:
        with suppress(ids.BadIdError):
            return ids.decode_shard(token[: ids.SHARD_LENGTH])
    raise TokenError("The refresh token is not valid. Sign in again.")


def refresh_digest(token: str) -> bytes:
    """Return the digest under which a refresh token is stored; the token itself is not."""
    # A cookie may contain any bytes, which are lone surrogates in the text.
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


def client_digest(address: str, user_agent: str) -> bytes:
    """Return what identifies a client that repeats a refresh: a digest of its network and its User-Agent."""
    # So may the header field.
    return hashlib.sha256(f"{address_subject(address)}\n{user_agent}".encode(errors="surrogateescape")).digest()
