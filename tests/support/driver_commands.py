"""The driver's commands and pub/sub on the servers of our client, for what tests read and write by themselves."""

from __future__ import annotations

import inspect
from typing import Any

from redis.asyncio import Redis as DriverClient
from redis.commands import AsyncCoreCommands

from storage.redis.client import Redis


class DriverCommands(AsyncCoreCommands):  # type: ignore[misc,type-arg,unused-ignore]
    """The driver's command methods, sent over our client; replies are converted as by the driver."""

    _event_dispatcher: Any = None  # declared by the driver's protocol, used by its own client only

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._converters = DriverClient(protocol=2).response_callbacks

    async def execute_command(self, *command: Any, **options: Any) -> Any:
        """Send a command and return the converted reply."""
        name, *arguments = command
        reply = await self._redis.execute_command(*name.split(), *arguments)
        convert = self._converters.get(name)
        if convert is None:
            return reply
        result = convert(reply, **{key: value for key, value in options.items() if key != "keys"})
        return await result if inspect.isawaitable(result) else result


def commands(redis: Redis) -> Any:
    """Return the driver's commands; Any, because their types differ between versions of the driver."""
    return DriverCommands(redis)


def driver_client(redis: Redis) -> Any:
    """Return a client of the driver for one of the servers, for its pub/sub and pipelines; the caller closes it."""
    address = redis.server_of(b"")
    return DriverClient(
        host=address.host,
        port=address.port,
        unix_socket_path=address.path,
        username=address.username,
        password=address.password,
        db=address.db,
        protocol=2,
    )
