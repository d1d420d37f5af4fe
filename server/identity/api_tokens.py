"""Verify opaque tokens, with a look-up in the database only at the first use in each process and then rarely.

What was found is kept for as long as an access token is valid, and is trusted as one: the round trip to Redis that
every request makes anyway also finds out whether the session of the token was revoked, by which a token ends at once.
A revocation is known there for longer than a process keeps what it has found.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from server.identity.opaque_tokens import TokenKind, digest, shard_in
from server.identity.rate_limiter import RateLimiter
from server.identity.scopes import MODERATION, permitted
from server.identity.tokens import Claims, TokenError
from storage import ids
from storage.api_tokens import FoundToken
from storage.errors import NotFoundError
from storage.models import Role

CACHED = 50_000  # tokens of about 600 bytes
QUOTA = "token_lookups"
# A live connection asks its client for a valid token when this has passed, however long the token itself is valid.
LIVE_SECONDS = 86_400

# Finds a token by its shard and SHA-256; raises `NotFoundError`.
Find = Callable[[int, bytes], Awaitable[FoundToken]]


class ApiTokens:
    """Verification of opaque tokens; `find` looks one up, and `ttl` is the seconds for which it is kept."""

    def __init__(self, find: Find, limiter: RateLimiter, *, ttl: int, clock: Callable[[], float] = time.time) -> None:
        self._find = find
        self._limiter = limiter
        self._ttl = ttl
        self._clock = clock
        self._found: OrderedDict[bytes, tuple[float, FoundToken]] = OrderedDict()

    async def verify(self, token: str, *, address: str | None) -> Claims | None:
        """Return the claims of a token that acts for a user, None for an application's own; raise `TokenError`.

        A look-up is charged to the network address of the client, where it is known. Raises `RateLimitedError`.
        """
        found = await self.find(token, address=address)
        if found.user_id is None or found.session is None:
            return None
        expires_at, scopes = self._clock() + LIVE_SECONDS, permitted(found.scopes)
        if found.expires_at is not None:
            expires_at = min(expires_at, found.expires_at.timestamp())
        return Claims(
            user_id=found.user_id,
            subject=ids.encode(found.user_id),
            session=found.session,
            # The powers of a moderator are not those of any application that the moderator uses.
            role=found.role if found.role is not None and MODERATION in scopes else Role.USER,
            expires_at=int(expires_at),
            scopes=scopes,
            client_id=found.client_id,
        )

    async def find(self, token: str, *, address: str | None) -> FoundToken:
        """Return a token, also an application's own; the errors are those of `verify`."""
        shard = shard_in(token, TokenKind.PERSONAL, TokenKind.ACCESS)
        if shard is None:
            raise TokenError("The access token is not valid. It may be incomplete.")
        sha256, now = digest(token), self._clock()
        kept = self._found.get(sha256)
        if kept is not None and now < kept[0]:
            self._found.move_to_end(sha256)
            return kept[1]
        if address is not None:
            await self._limiter.check_address(QUOTA, address, locally=True)
        try:
            found = await self._find(shard, sha256)
        except NotFoundError as error:
            self._found.pop(sha256, None)
            raise TokenError("The access token is not valid any more: it was revoked, or has expired.") from error
        self._keep(sha256, found, now)
        return found

    def _keep(self, sha256: bytes, found: FoundToken, now: float) -> None:
        # An application's own token has no session that could be revoked in Redis, so it is looked up every time.
        if found.session is None:
            return
        # From the moment before the look-up: a revocation that it has missed is known to Redis for longer than this.
        until = now + self._ttl
        if found.expires_at is not None:
            until = min(until, found.expires_at.timestamp())
        self._found[sha256] = until, found
        self._found.move_to_end(sha256)
        if len(self._found) > CACHED:
            self._found.popitem(last=False)
