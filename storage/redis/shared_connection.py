"""One connection to Redis that many callers share: nobody waits for another's answer, which come back in order.

A pool gives each command a connection of its own and costs some seventy microseconds of this process a
command. Scripts are run this way; what is heard over pub/sub is not.
"""

from __future__ import annotations

import asyncio
from typing import Any

import redis.exceptions as driver

from storage.redis.connection import RedisAddress, RedisConnection, pack
from storage.redis.stale_data import connect


class SharedConnection:
    """A shared connection, opened when first used and again after it was lost; timeouts in seconds.

    Raises the driver's exceptions. A command that meets a connection which was lost before is sent once more on
    a new one; one whose answer is late is not, since it may have been carried out.
    """

    sharded = False

    def __init__(self, address: RedisAddress, *, answer_timeout: float, connect_timeout: float) -> None:
        self._address = address
        self._answer_timeout = answer_timeout
        self._connect_timeout = connect_timeout
        self._wire: RedisConnection | None = None
        self._retired: set[RedisConnection] = set()
        self._opening: asyncio.Task[RedisConnection] | None = None

    async def call(self, *command: bytes | str | int) -> Any:
        """Send a command and return its answer, bytes within; raise what Redis refused or why it did not answer."""
        packed, wire = pack(*command), self._wire
        if wire is None or wire.lost:
            answer = await (await self._open()).send(packed)
        else:
            try:
                answer = await wire.send(packed)
            except driver.ConnectionError:
                answer = await (await self._open()).send(packed)
        if isinstance(answer, driver.RedisError):
            raise answer
        return answer

    async def ask(self, *command: bytes | str | int) -> Any:
        """Send a command about a cluster's slot that is on its way to this server; otherwise as `call`."""
        wire = await self._open()
        # Both in one go: the permission holds for the connection's next command, whoever sends it.
        _, answer = await asyncio.gather(wire.send(pack("ASKING")), wire.send(pack(*command)))
        if isinstance(answer, driver.RedisError):
            raise answer
        return answer

    async def each(self, *command: bytes | str | int) -> dict[RedisAddress, Any]:
        """Send a command to every server, which is this one."""
        return {self._address: await self.call(*command)}

    async def refresh(self) -> None:
        """Learn where keys lie: on one server there is nothing to learn."""

    def reconnect(self) -> None:
        """Open another connection for the commands to come, since this one may be dead and not told so.

        Who waits for an answer gets it, or learns that it is late.
        """
        self._retired = {wire for wire in self._retired if not wire.lost}
        if self._wire is not None:
            self._retired.add(self._wire)
            self._wire.retire()
            self._wire = None

    def slot_of(self, _key: bytes) -> int:
        """Return the number that keys have in common which one command may name: here all of them."""
        return 0

    def server_of(self, _name: bytes) -> RedisAddress:
        """Return the server on which a key or channel lies."""
        return self._address

    async def close(self) -> None:
        """Close the connection; who still waits for an answer gets a `ConnectionError`."""
        if self._opening is not None:
            self._opening.cancel()
        for wire in (*self._retired, *([] if self._wire is None else [self._wire])):
            await wire.close()

    async def _open(self) -> RedisConnection:
        if self._wire is not None and not self._wire.lost:
            return self._wire
        if self._opening is None:
            self._opening = asyncio.create_task(self._connect())
            self._opening.add_done_callback(self._opened)
        # Shielded: a caller who gives up does not take the connection from the others.
        return await asyncio.shield(self._opening)

    def _opened(self, task: asyncio.Task[RedisConnection]) -> None:
        self._opening = None
        if not task.cancelled() and task.exception() is None:
            self._wire = task.result()

    async def _connect(self) -> RedisConnection:
        return await connect(self._address, RedisConnection(self._answer_timeout), timeout=self._connect_timeout)
