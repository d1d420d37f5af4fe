"""Guard against stale data: a connection is used only after data of an earlier moment have been flushed.

A server that refuses writes is not used at all: a replica, a master without its replicas, a server that is loading.

A server that restarts from a snapshot, and a replica that is promoted, hold data of some moments ago: deleted photos,
removed likes, feeds without entries that clients have received. All of it can be built again from PostgreSQL, but
nothing in the data shows that it is needed. Therefore each slot group has a mark with the id of the server run that
the data were written to. Every new connection compares the mark with the server's present run id and flushes the
server if they differ, unless the server has read its own append-only file, which is current (`lua/stale_data.lua`).
"""

from __future__ import annotations

import asyncio
from importlib import resources
from typing import TypeVar

import redis.exceptions as driver
import structlog

from storage.ids import SLOT_GROUPS
from storage.redis.address import RedisAddress
from storage.redis.connection import NOT_MASTER, RedisConnection, encode_command, open_connection

log = structlog.get_logger(__name__)

C = TypeVar("C", bound=RedisConnection)

_SCRIPT = (resources.files("storage.redis") / "lua" / "stale_data.lua").read_bytes()
# One check per slot group: a single server has all groups, each master of a cluster has some. The script is sent in
# full (EVAL), because a server that has just restarted does not know its digest.
CHECKS = [encode_command("EVAL", _SCRIPT, 1, b"run:{%d}" % group) for group in range(SLOT_GROUPS)]
_ELSEWHERE = (driver.MovedError, driver.AskError)


async def connect(address: RedisAddress, connection: C, *, timeout: float) -> C:
    """Open a connection and flush stale data before it is used; raise the driver's errors.

    The connection's `run_id` identifies the run of the server that it leads to.
    """
    try:
        async with asyncio.timeout(timeout):
            await open_connection(address, connection, timeout=timeout)
            await _check_run_id(address, connection)
    except TimeoutError as error:
        connection.give_up(driver.TimeoutError("no connection in time"))
        raise driver.TimeoutError("no connection in time") from error
    except (driver.RedisError, asyncio.CancelledError):
        connection.give_up(driver.ConnectionError("the connection is not used"))
        raise
    return connection


async def _check_run_id(address: RedisAddress, connection: RedisConnection) -> None:
    replies = await asyncio.gather(*(connection.send(check) for check in CHECKS))
    emptied = False
    for reply in replies:
        # On a cluster, most groups lie on other masters; those are checked by the connections to them.
        if isinstance(reply, _ELSEWHERE):
            continue
        if isinstance(reply, driver.RedisError):
            raise driver.ConnectionError(_message(reply)) from reply
        flushed, connection.run_id = reply
        emptied = emptied or flushed == 1
    if emptied:
        log.warning("redis_emptied", server=str(address))


def _message(error: driver.RedisError) -> str:
    if isinstance(error, NOT_MASTER):
        return f"the server does not act as a master: {error}"
    # Errors with another code describe the state of the server; these two are likely a missing permission.
    remedy = "; scripts must be allowed INFO and FLUSHDB" if str(error).startswith(("ERR", "NOPERM")) else ""
    return f"cannot read the run id of the server: {error}{remedy}"
