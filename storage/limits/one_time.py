"""Values that are used once, and tries that are counted, in Redis for all processes together."""

from __future__ import annotations

import hashlib

import orjson

from storage.redis.client import Redis, redis_errors


class OneTimeValues:
    """Values under a kind and a name; raises `UnavailableError` if Redis does not answer.

    Only digests of names are stored, so that read access to Redis does not give usable ones.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def keep(self, kind: str, name: bytes, value: str, *, ttl: int) -> None:
        """Keep a value for `ttl` seconds, until it is taken."""
        with redis_errors():
            await self._redis.execute_command("SET", _key(kind, name), orjson.dumps(value), "EX", ttl)

    async def take(self, kind: str, name: bytes) -> str | None:
        """Return a value that was kept, once; None if it is unknown, expired or taken."""
        with redis_errors():
            data = await self._redis.execute_command("GETDEL", _key(kind, name))
        if data is None:
            return None
        value: str = orjson.loads(data)
        return value

    async def use(self, kind: str, name: bytes, *, ttl: int) -> bool:
        """Use a name up for `ttl` seconds; return False if it was used before."""
        with redis_errors():
            return await self._redis.execute_command("SET", _key(kind, name), b"1", "NX", "EX", ttl) is not None

    async def is_used(self, kind: str, name: bytes) -> bool:
        """Return whether a name was used up."""
        with redis_errors():
            return bool(await self._redis.execute_command("EXISTS", _key(kind, name)))

    async def count(self, kind: str, name: bytes, *, ttl: int) -> int:
        """Count a try at a name, and return the number of tries; it is forgotten `ttl` seconds after the last one."""
        key = _key(kind, name)
        with redis_errors():
            number = int(await self._redis.execute_command("INCR", key))
            await self._redis.execute_command("EXPIRE", key, ttl)
        return number


def _key(kind: str, name: bytes) -> bytes:
    return b"once:%b:%b" % (kind.encode(), hashlib.sha256(name).hexdigest().encode())
