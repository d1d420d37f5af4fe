"""A connection on which no data are met that the server has from an earlier moment.

A server that starts again from a snapshot, and a replica that has become the master, have data as they were a while
ago: photos that were deleted since, likes that were taken back, feeds that lack what clients have seen. All can be
built again from PostgreSQL, but nobody could tell that it has to be. So the data bear the name of the run they were
written to, in a mark for each slot group, and whoever connects and finds another name throws them away before anybody
reads them; unless the server has them from its own append-only file, which is up to date (`lua/stale_data.lua`).
"""

from __future__ import annotations

import asyncio
from importlib import resources
from typing import TypeVar

import redis.exceptions as driver
import structlog

from storage.ids import SLOT_GROUPS
from storage.redis.connection import RedisAddress, RedisConnection, dial, pack

log = structlog.get_logger(__name__)

W = TypeVar("W", bound=RedisConnection)

_SCRIPT = (resources.files("storage.redis") / "lua" / "stale_data.lua").read_bytes()
# One for each slot group: one server has them all, of a cluster's masters each has some.
QUESTIONS = [pack("EVAL", _SCRIPT, 1, b"run:{%d}" % group) for group in range(SLOT_GROUPS)]
_ELSEWHERE = (driver.MovedError, driver.AskError)


async def connect(address: RedisAddress, wire: W, *, timeout: float) -> W:
    """Open a connection as `dial` does, after which the data are up to date; raise the driver's errors."""
    try:
        async with asyncio.timeout(timeout):
            await dial(address, wire, timeout=timeout)
            await _disown(address, wire)
    except TimeoutError as error:
        wire.give_up(driver.TimeoutError("no connection in time"))
        raise driver.TimeoutError("no connection in time") from error
    except (driver.RedisError, asyncio.CancelledError):
        wire.give_up(driver.ConnectionError("the connection is not used"))
        raise
    return wire


async def _disown(address: RedisAddress, wire: RedisConnection) -> None:
    answers = await asyncio.gather(*(wire.send(question) for question in QUESTIONS))
    for answer in answers:
        if isinstance(answer, driver.RedisError) and not isinstance(answer, _ELSEWHERE):
            raise driver.ConnectionError(_told(answer)) from answer
    if 1 in answers:
        log.warning("redis_emptied", server=address.path or f"{address.host}:{address.port}")


def _told(error: driver.RedisError) -> str:
    # Errors of their own kind, such as LOADING, pass by themselves.
    remedy = "; scripts must be allowed INFO and FLUSHDB" if type(error) is driver.ResponseError else ""
    return f"cannot tell which run of the server this is: {error}{remedy}"
