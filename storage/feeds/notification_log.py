"""The live stream "notifications": for each person a window log of the newest notifications' ids.

The inbox itself is in PostgreSQL; the log is what clients recover by. A notification that changes (another
person liked the same photo, an act was taken back) is announced again under a new offset.
"""

from __future__ import annotations

from storage.feeds.log_format import parse_epoch
from storage.feeds.window_log import DeliveryScript, WindowLog
from storage.redis.client import Redis

WINDOW = 200  # notifications that can be recovered


class NotificationLog:
    """Announce and recover notifications; raises `UnavailableError` when Redis does not answer."""

    def __init__(self, redis: Redis, delivery: DeliveryScript) -> None:
        self._log = WindowLog(redis, "notes", delivery, window=WINDOW)

    async def push(self, user_id: int, notification_id: int, message: bytes) -> bool:
        """Announce a new or changed notification to its owner; say whether the owner is online."""
        inserted = await self._log.republish(notification_id, [user_id], message)
        return inserted.online > 0

    async def position(self, user_id: int) -> tuple[str, int]:
        """Return (epoch, offset) of the stream's end; the stream comes into being if need be."""
        epoch, top = await self._log.open(user_id)
        return str(epoch), top

    async def kept(self, user_id: int) -> tuple[str, int, list[tuple[int, int]]]:
        """Return epoch, top offset, and (offset, notification id) of all that can still be told, oldest first."""
        view = await self._log.read(user_id)
        while view is None:
            await self._log.open(user_id)
            view = await self._log.read(user_id)
        return str(view.epoch), view.top, [(entry.offset, entry.id) for entry in view.kept()]

    async def since(self, user_id: int, epoch: str, offset: int) -> list[tuple[int, int]] | None:
        """Return (offset, notification id) after a position, oldest first; None when that cannot be told."""
        known = parse_epoch(epoch)
        entries = None if known is None else await self._log.since(user_id, known, offset)
        return None if entries is None else [(entry.offset, entry.id) for entry in entries]
