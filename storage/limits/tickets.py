"""Tickets for the live endpoint, and revocations of sessions whose access tokens are still valid.

A ticket is redeemed once, for one connection. An event stream reconnects with the ticket that it was opened with; so
this ticket is kept with a key that only the stream's client has.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

import orjson

from storage.ids import slot_group
from storage.redis.client import Redis, redis_errors

REVOCATION_MARGIN = 60  # seconds that a revocation outlives the last token, to allow for clock skew


class Tickets:
    """Tickets and revocations in Redis; raises `UnavailableError` if it does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def issue(self, payload: dict[str, Any], *, ttl: int) -> str:
        """Return a ticket (43 URL-safe characters), redeemable once for `payload` (JSON) within `ttl` seconds."""
        token = secrets.token_urlsafe(32)
        with redis_errors():
            await self._redis.execute_command("SET", _ticket_key(token), orjson.dumps(payload), "EX", ttl)
        return token

    async def redeem(self, token: str) -> dict[str, Any] | None:
        """Redeem a ticket and return its payload; None if it is unknown, expired or already redeemed."""
        with redis_errors():
            data = await self._redis.execute_command("GETDEL", _ticket_key(token))
        if data is None:
            return None
        payload: dict[str, Any] = orjson.loads(data)
        return payload

    async def keep_for_reconnects(self, token: str, key: str, payload: dict[str, Any], *, ttl: int) -> None:
        """Let a redeemed ticket be redeemed again, with `key`, for `ttl` seconds."""
        with redis_errors():
            await self._redis.execute_command("SET", _reconnect_key(token, key), orjson.dumps(payload), "EX", ttl)

    async def reconnect(self, token: str, key: str) -> dict[str, Any] | None:
        """Return the payload of a ticket that was kept with this key; None if there is none, or none any more."""
        # It stays: the response to a reconnect may be lost like that to the first request.
        with redis_errors():
            data = await self._redis.execute_command("GET", _reconnect_key(token, key))
        if data is None:
            return None
        payload: dict[str, Any] = orjson.loads(data)
        return payload

    async def revoke_session(self, session: str, user_id: int, *, ttl: int) -> None:
        """Refuse a session's access tokens for `ttl` seconds, by which the last of them has expired."""
        with redis_errors():
            await self._redis.execute_command("SET", revoked_key(session, user_id), b"1", "EX", ttl)

    async def is_revoked(self, session: str, user_id: int) -> bool:
        """Return whether a session was revoked; `session` is from a verified token."""
        with redis_errors():
            return bool(await self._redis.execute_command("EXISTS", revoked_key(session, user_id)))


def revoked_key(session: str, user_id: int) -> bytes:
    """Return the key of a revocation; it is in the user's slot group, so that one script reads it with the quota."""
    return b"revoked:{%d}:%b" % (slot_group(user_id), session.encode())


def _ticket_key(token: str) -> bytes:
    # Only a digest is stored, so that read access to Redis does not give usable tickets.
    return b"ticket:%b" % hashlib.sha256(token.encode()).hexdigest().encode()


def _reconnect_key(token: str, key: str) -> bytes:
    return b"ticket:%b" % hashlib.sha256(f"{token} {key}".encode()).hexdigest().encode()
