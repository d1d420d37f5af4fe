"""The Redis that is not there: every command fails as one of a Redis that is away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from storage.errors import UnavailableError
from storage.redis.client import Redis, check_writable, open_redis, redis_errors
from storage.redis.subscriber import MessageListener

COMMANDS: dict[str, Callable[[Redis], Awaitable[Any]]] = {
    "command": lambda redis: redis.execute_command("GET", "a"),
    "everywhere": lambda redis: redis.execute_everywhere("INFO"),
    "subscriber": lambda redis: redis.subscriber(redis.server_of(b"a"), cast(MessageListener, None)),
    "check": check_writable,
}


@pytest.mark.parametrize("name", COMMANDS)
async def test_every_command_fails_at_once(name: str) -> None:
    """Callers see the error of an engine that is away, for which they have their other ways."""
    with pytest.raises(UnavailableError, match="none:") as caught, redis_errors():
        await COMMANDS[name](open_redis("none:"))
    assert caught.value.engine == "redis"


async def test_what_sends_nothing_does_nothing() -> None:
    """A process without Redis opens and closes as any other."""
    redis = open_redis("none:")
    redis.reconnect()
    await redis.refresh_slots()
    assert (redis.sharded, redis.slot_of(b"a")) == (False, 0)
    await redis.aclose()
