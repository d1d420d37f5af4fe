"""A Redis that is not there: for a process that only reads, and finds everything in PostgreSQL.

A region far from the others has none, because a cache there would need every change of the others in order. Every
command fails at once, as while a Redis is away, and what can do without Redis does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import redis.exceptions as driver

from storage.redis.address import ABSENT, RedisAddress
from storage.redis.subscriber import MessageListener, Subscriber


class AbsentRedis:
    """`storage.redis.client.Redis` without a server: commands raise the driver's `ConnectionError`."""

    sharded = False

    async def execute_command(self, *command: bytes | str | int) -> Any:
        """Fail."""
        del command
        _fail()

    async def execute_everywhere(self, *command: bytes | str | int) -> Mapping[RedisAddress, Any]:
        """Fail."""
        del command
        _fail()

    async def refresh_slots(self) -> None:
        """Do nothing, as on a single server."""

    def reconnect(self) -> None:
        """Do nothing."""

    def slot_of(self, key: bytes) -> int:
        """Return the only slot."""
        del key
        return 0

    def server_of(self, name: bytes) -> RedisAddress:
        """Fail."""
        del name
        _fail()

    async def subscriber(self, server: RedisAddress, listener: MessageListener) -> Subscriber:
        """Fail."""
        del server, listener
        _fail()

    async def aclose(self) -> None:
        """Do nothing."""


def _fail() -> NoReturn:
    raise driver.ConnectionError(f'redis.url is "{ABSENT}"')
