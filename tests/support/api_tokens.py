"""Opaque tokens for tests: in memory, and of users of a running API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from server.config.section import from_sections
from server.config.settings import Settings
from server.identity.api_tokens import ApiTokens
from server.identity.opaque_tokens import TokenKind, digest, new_token
from server.identity.rate_limiter import RateLimiter
from server.identity.rate_limits import RateLimits
from storage import ids
from storage.api_tokens import FoundToken
from storage.errors import NotFoundError
from storage.models import Role
from storage.postgres.database import Database
from storage.stores.credentials import api_tokens
from tests.support.memory_quotas import MemoryQuotas


def found_token(
    *,
    user_id: int | None = 7,
    scopes: Sequence[str] = ("read",),
    client_id: int | None = None,
    role: Role = Role.USER,
    expires_at: datetime | None = None,
) -> FoundToken:
    """Return a token of the user 7 in the session "s", or one of an application without a user."""
    return FoundToken(
        user_id=user_id,
        session=None if user_id is None else "s",
        client_id=client_id,
        scopes=scopes,
        role=None if user_id is None else role,
        expires_at=expires_at,
    )


def known_tokens(
    tokens: Mapping[str, FoundToken],
    *,
    quotas: MemoryQuotas | None = None,
    lookups: list[bytes] | None = None,
    clock: Callable[[], float] = lambda: 1_800_000_000.0,
) -> ApiTokens:
    """Return the verification of these tokens; `lookups` gets the digest of each that is looked up."""
    known = {digest(token): found for token, found in tokens.items()}

    async def find(_shard: int, sha256: bytes) -> FoundToken:
        if lookups is not None:
            lookups.append(sha256)
        if sha256 not in known:
            raise NotFoundError("token")
        return known[sha256]

    limiter = RateLimiter(quotas or MemoryQuotas(), from_sections(RateLimits, Settings().limits))
    return ApiTokens(find, limiter, ttl=900, clock=clock)


async def issue_token(db: Database, user_id: int, *scopes: str) -> str:
    """Store a token of a user's own, and return it."""
    token = new_token(TokenKind.PERSONAL, ids.shard_of(user_id))
    async with db.transaction() as tx:
        await api_tokens.open_session(tx, user_id, api_tokens.NewToken(sha256=digest(token), scopes=scopes))
    return token
