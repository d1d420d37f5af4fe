"""One-use tickets for the live endpoint, and sessions that ended before their access tokens did."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

import orjson

from storage.ids import slot_group
from storage.redis.client import Redis, redis_errors

REVOCATION_MARGIN = 60  # seconds that a revocation outlives the last token, for clocks that differ


class Tickets:
    """Keep tickets and revocations in Redis; raises `UnavailableError` when it does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def issue(self, payload: dict[str, Any], *, ttl: int) -> str:
        """Return a ticket (43 URL-safe characters) that gives `payload` (JSON) back once within `ttl` seconds."""
        token = secrets.token_urlsafe(32)
        with redis_errors():
            await self._redis.execute_command("SET", _ticket_key(token), orjson.dumps(payload), "EX", ttl)
        return token

    async def redeem(self, token: str) -> dict[str, Any] | None:
        """Use a ticket up and return its payload; None if there is none such, or no longer."""
        with redis_errors():
            data = await self._redis.execute_command("GETDEL", _ticket_key(token))
        if data is None:
            return None
        payload: dict[str, Any] = orjson.loads(data)
        return payload

    async def revoke_session(self, session: str, user_id: int, *, ttl: int) -> None:
        """Refuse a session's access tokens for `ttl` seconds, the longest that one of them can still live."""
        with redis_errors():
            await self._redis.execute_command("SET", revoked_key(session, user_id), b"1", "EX", ttl)

    async def is_revoked(self, session: str, user_id: int) -> bool:
        """Say whether a session was revoked; `session` comes out of a verified token."""
        with redis_errors():
            return bool(await self._redis.execute_command("EXISTS", revoked_key(session, user_id)))


def revoked_key(session: str, user_id: int) -> bytes:
    """Return the key of a revocation; it lies in the person's slot group, so that one script sees it with the rest."""
    return b"revoked:{%d}:%b" % (slot_group(user_id), session.encode())


def _ticket_key(token: str) -> bytes:
    # Only a digest is kept: whoever reads Redis cannot use the tickets.
    return b"ticket:%b" % hashlib.sha256(token.encode()).hexdigest().encode()
