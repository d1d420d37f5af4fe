"""The least that a live delivery costs on this machine: an empty transaction, one PUBLISH and one write on a socket.

It is the yardstick of `bench.live`, on the engines of the service under test and with none of its code. Everything runs
in one event loop, so no other process has to be woken but the two engines.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
from redis.asyncio import Redis

_CHANNEL = "bench:delivery"
_BODY = b"x" * 300  # as long as a usual notification
_DEADLINE = 10.0  # seconds
# The record makes the commit wait for the log to be flushed, as the commit of a like does; no table is touched.
_EMPTY_BUT_DURABLE = "SELECT pg_logical_emit_message(true, 'bench', '')"


class DeliveryFloor:
    """Open connections to both engines, and the end of a socket to which each message of a subscription is written."""

    PARTS = (("BEGIN",), ("a record for the log",), ("COMMIT, flushed to disk",), ("PUBLISH, written, read",))

    def __init__(self, connection: Any, redis: Any, incoming: asyncio.StreamReader) -> None:
        self._connection = connection
        self._redis = redis
        self._incoming = incoming

    async def delays(self, count: int, pause: float) -> list[float]:
        """Return milliseconds from the start of a transaction to the bytes at the socket's other end, `count` times."""
        return [sum(parts) for parts in await self.parts(count, pause)]

    async def parts(self, count: int, pause: float) -> list[list[float]]:
        """Return the same in the parts `PARTS`, for each of `count` deliveries."""
        deliveries = []
        for _ in range(count):
            deliveries.append(await self._deliver())
            await asyncio.sleep(pause)
        return deliveries

    async def _deliver(self) -> list[float]:
        moments = [time.perf_counter()]
        frame = self._connection.transaction()
        await frame.start()
        moments.append(time.perf_counter())
        await self._connection.execute(_EMPTY_BUT_DURABLE)
        moments.append(time.perf_counter())
        await frame.commit()
        moments.append(time.perf_counter())
        await self._redis.publish(_CHANNEL, _BODY)
        async with asyncio.timeout(_DEADLINE):
            await self._incoming.readexactly(len(_BODY))
        moments.append(time.perf_counter())
        return [(later - earlier) * 1000 for earlier, later in itertools.pairwise(moments)]


@asynccontextmanager
async def delivery_floor(dsn: str, redis_url: str) -> AsyncIterator[DeliveryFloor]:
    """Open the chain on these engines for the time of the block."""
    async with AsyncExitStack() as stack:
        connection = await asyncpg.connect(dsn)
        stack.push_async_callback(connection.close)
        redis = Redis.from_url(redis_url)
        stack.push_async_callback(redis.aclose)
        incoming, outgoing = await _loopback(stack)
        subscription = redis.pubsub()
        stack.push_async_callback(subscription.aclose)
        await subscription.subscribe(_CHANNEL)

        async def forward() -> None:
            async for message in subscription.listen():
                if message["type"] == "message":
                    outgoing.write(message["data"])

        forwarding = asyncio.create_task(forward())
        stack.callback(forwarding.cancel)
        yield DeliveryFloor(connection, redis, incoming)


async def _loopback(stack: AsyncExitStack) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return the reading end of one TCP connection and the writing end of its peer."""
    accepted: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(lambda _, writer: accepted.set_result(writer), "127.0.0.1", 0)
    stack.callback(server.close)
    incoming, client = await asyncio.open_connection(*server.sockets[0].getsockname())
    outgoing = await accepted
    stack.callback(client.close)
    stack.callback(outgoing.close)
    return incoming, outgoing
