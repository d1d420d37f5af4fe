"""States of variants that are being made, in Redis: which process has asked for one, and what became of it.

`variant:<sha256>/<name>` holds one of three words for some seconds. Losing it costs a second request to the workers,
which then find the variant made.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from storage.redis.client import Redis, redis_errors

# Times to live in milliseconds
WANTED_TTL = 15_000  # from the request until a worker begins; then it is asked for once more
MAKING_TTL = 60_000  # from there to the end, longer than the decoder's deadlines
DONE_TTL = 10_000  # longer than any process waits


class VariantState(StrEnum):
    """What is known of a variant that is not stored yet; `UNAVAILABLE` is for a reason that may pass."""

    WANTED = "wanted"
    MADE = "made"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


class VariantStates:
    """The states; methods raise `UnavailableError("redis")`."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def claim(self, key: str) -> VariantState | None:
        """Return the state of a variant; None if there was none, which the caller has set to `WANTED` then."""
        with redis_errors():
            if await self._redis.execute_command("SET", _key(key), VariantState.WANTED, "NX", "PX", WANTED_TTL):
                return None
            state = await self._redis.execute_command("GET", _key(key))
        # The state may have expired in between: the next call claims it.
        return VariantState.WANTED if state is None else VariantState(state.decode())

    async def release(self, key: str) -> None:
        """Undo a claim whose event was not emitted, so that another process can claim at once."""
        with redis_errors():
            await self._redis.execute_command("DEL", _key(key))

    async def begin(self, key: str) -> None:
        """Keep the state of a variant while a worker makes it."""
        with redis_errors():
            await self._redis.execute_command("SET", _key(key), VariantState.WANTED, "PX", MAKING_TTL)

    async def finish(self, keys: Iterable[str], state: VariantState) -> None:
        """Publish what became of variants."""
        with redis_errors():
            for key in keys:
                await self._redis.execute_command("SET", _key(key), state, "PX", DONE_TTL)


def _key(key: str) -> str:
    return f"variant:{key}"
