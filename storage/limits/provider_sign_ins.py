"""Sign-ins with a provider that are under way, in Redis: from the start to the return, and from there to the session.

Each is kept under the digest of a random token, so that read access to Redis gives no usable one.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

import orjson

from storage.redis.client import Redis, redis_errors

_STARTED, _RETURNED = b"started", b"returned"


class ProviderSignIns:
    """Sign-ins under way, each kept for `ttl` seconds; payloads are JSON. Raises `UnavailableError`."""

    def __init__(self, redis: Redis, *, ttl: int) -> None:
        self._redis = redis
        self.ttl = ttl

    async def start(self, token: str, payload: Mapping[str, Any]) -> None:
        """Keep a sign-in that has started, under a token of the caller's."""
        await self._set(_STARTED, token, payload)

    async def take_started(self, token: str) -> dict[str, Any] | None:
        """Return a started sign-in and forget it, so that it can return once; None if it is unknown or expired."""
        return await self._get("GETDEL", _STARTED, token)

    async def keep_returned(self, payload: Mapping[str, Any]) -> str:
        """Keep the user that the provider has named, and return the token of it."""
        token = secrets.token_urlsafe(32)
        await self._set(_RETURNED, token, payload)
        return token

    async def returned(self, token: str) -> dict[str, Any] | None:
        """Return the user that the provider has named; None if the token is unknown or expired."""
        return await self._get("GET", _RETURNED, token)

    async def end(self, token: str) -> None:
        """Forget the user that the provider has named: the session is open, or the account linked."""
        with redis_errors():
            await self._redis.execute_command("DEL", _key(_RETURNED, token))

    async def _set(self, kind: bytes, token: str, payload: Mapping[str, Any]) -> None:
        with redis_errors():
            await self._redis.execute_command("SET", _key(kind, token), orjson.dumps(payload), "EX", self.ttl)

    async def _get(self, command: str, kind: bytes, token: str) -> dict[str, Any] | None:
        with redis_errors():
            data = await self._redis.execute_command(command, _key(kind, token))
        if data is None:
            return None
        payload: dict[str, Any] = orjson.loads(data)
        return payload


def _key(kind: bytes, token: str) -> bytes:
    return b"oidc:%b:%b" % (kind, hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest().encode())
