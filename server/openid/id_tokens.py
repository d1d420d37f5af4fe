"""ID tokens: verified against the provider, the client and the sign-in that they are for.

The rules are those of OpenID Connect Core 1.0, section 3.1.3.7.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from server.openid.algorithms import ALGORITHMS
from server.openid.errors import ProviderResponseError
from server.openid.keys import ProviderKeys

LEEWAY = 60  # seconds by which the provider's clock may differ
MAX_LENGTH = 16 * 1024  # characters of a token
MAX_SUBJECT = 255  # characters (OpenID Connect Core, section 2)
_MAX_TEXT = 254
_REQUIRED = ["iss", "sub", "aud", "exp", "iat"]
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (jwt.ExpiredSignatureError, "expired"),
    (jwt.ImmatureSignatureError, "not_yet_valid"),
    (jwt.InvalidAudienceError, "audience"),
    (jwt.InvalidIssuerError, "issuer"),
    (jwt.MissingRequiredClaimError, "claims"),
    (jwt.InvalidSignatureError, "signature"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class IdClaims:
    """What a provider says about the user who has signed in there; texts are empty where it says nothing.

    `subject` identifies the user at this provider, for ever. `email` is the user's only if it is `email_verified`.
    """

    subject: str
    email: str = ""
    email_verified: bool = False
    name: str = ""
    username: str = ""


def verify(
    token: str, keys: ProviderKeys, *, issuer: str, client_id: str, nonce: str, algorithms: frozenset[str]
) -> IdClaims:
    """Return the claims of a valid ID token; raise `ProviderResponseError`, `UnknownKeyError` if its key is missing."""
    if len(token) > MAX_LENGTH:
        raise ProviderResponseError("format", f"the ID token has more than {MAX_LENGTH} characters")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise ProviderResponseError("format", "the ID token is no JWT") from error
    # The key's own algorithm decides and not the token's, so only what the provider announces is accepted.
    algorithm = header.get("alg")
    if algorithm not in algorithms & ALGORITHMS.keys():
        raise ProviderResponseError("algorithm", f"the ID token is signed with {str(algorithm)[:20]!r}")
    if "crit" in header:
        raise ProviderResponseError("format", "the ID token has extensions that are not understood")
    key_id = header.get("kid")
    key = keys.find(key_id if isinstance(key_id, str) else None, algorithm)
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            issuer=issuer,
            audience=client_id,
            leeway=LEEWAY,
            options={"require": _REQUIRED},
        )
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        reason = next((name for kind, name in _REASONS if isinstance(error, kind)), "claims")
        raise ProviderResponseError(reason, f"the ID token is not valid: {error}") from error
    _check_party(claims, client_id)
    _check_nonce(claims, nonce)
    return about_user(claims)


def about_user(claims: Mapping[str, Any]) -> IdClaims:
    """Return what claims say about a user; raise `ProviderResponseError` if they have no subject."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT or "\0" in subject:
        raise ProviderResponseError("claims", "the provider names no subject")
    email = _text(claims, "email")
    return IdClaims(
        subject=subject,
        email=email,
        # Some providers send the text "true"; anything else is a no.
        email_verified=bool(email) and (claims.get("email_verified") is True or claims.get("email_verified") == "true"),
        name=_text(claims, "name"),
        username=_text(claims, "preferred_username"),
    )


def _check_party(claims: Mapping[str, Any], client_id: str) -> None:
    audience, party = claims["aud"], claims.get("azp")
    several = isinstance(audience, list) and len(audience) > 1
    if (several or party is not None) and party != client_id:
        raise ProviderResponseError("audience", "the ID token was issued to another client")


def _check_nonce(claims: Mapping[str, Any], nonce: str) -> None:
    given = claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(errors="replace"), nonce.encode()):
        raise ProviderResponseError("nonce", "the ID token is of another sign-in")


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or len(value) > _MAX_TEXT or not value.isprintable():
        return ""
    return value.strip()
