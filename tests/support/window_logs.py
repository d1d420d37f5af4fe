"""Helpers for window logs in tests: users of one slot group and of another, and what their logs hold."""

from __future__ import annotations

import struct

from storage.feeds.log_format import AT_HEADER, Entry
from storage.feeds.window_log import Filled, WindowLog
from storage.redis.client import Redis
from tests.support.driver_commands import commands

AT_EDITED = AT_HEADER + 44  # the place of the time of the last edit
ANN, BOB, CAT, DAN = 64 * 1024 + 1, 64 * 1024 + 2, 64 * 1024 + 3, 64 * 1024 + 1000


async def start(log: WindowLog, *user_ids: int, ids: tuple[int, ...] = (), complete: bool = True) -> None:
    """Build logs with ids that were never published, in place of any that exist."""
    for user_id in user_ids:
        await log.discard(user_id)
        building = await log.begin(user_id)
        assert (await log.fill(user_id, building, ids, complete=complete))[0] is Filled.DONE


async def entries(log: WindowLog, user_id: int) -> list[Entry]:
    """Return a log's entries."""
    view = await log.read(user_id)
    assert view is not None
    return list(view.entries)


async def ids_of(log: WindowLog, user_id: int) -> list[int]:
    """Return a log's ids by ascending id, without removed ones."""
    return [entry.id for entry in await entries(log, user_id) if not entry.removed]


async def since(log: WindowLog, user_id: int, epoch: int, offset: int) -> list[Entry] | None:
    """Return the entries published after a position; None if that is unknown."""
    delta = await log.since(user_id, str(epoch), offset)
    return None if delta is None else list(delta.entries)


async def set_edited(redis: Redis, log: WindowLog, user_id: int, seconds: int) -> None:
    """Replace the time of a log's last edit, a Unix second."""
    await commands(redis).setrange(log.key(user_id), AT_EDITED, struct.pack(">I", seconds))


async def edited(redis: Redis, log: WindowLog, user_id: int) -> int:
    """Return the time of a log's last edit, a Unix second."""
    seconds: int
    (seconds,) = struct.unpack(">I", await commands(redis).getrange(log.key(user_id), AT_EDITED, AT_EDITED + 3))
    return seconds


async def now_of(redis: Redis) -> int:
    """Return the Unix second of Redis' clock."""
    return int((await redis.execute_command("TIME"))[0])
