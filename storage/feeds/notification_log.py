"""The live stream "notifications": a window log of the ids of each user's newest notifications.

The inbox itself is in PostgreSQL; clients recover from the log. A notification that changes (another user liked the
same photo, a like was removed) is published again under a new offset.
"""

from __future__ import annotations

from storage.feeds.stream_log import StreamDelta, StreamPosition
from storage.feeds.window_log import DeliveryScript, WindowLog
from storage.notifications import NotificationMark
from storage.redis.client import Redis

WINDOW = 200  # notifications that can be recovered
# Entries of the log that record marks, and that a user has deleted several notifications. They are lower than every id,
# so that they leave a full log first.
MARKS = {NotificationMark.SEEN: 1, NotificationMark.READ: 2}
REMOVALS = 3


class NotificationLog:
    """Stream log of notifications (see `StreamLog`); raises `UnavailableError` if Redis does not answer."""

    def __init__(self, redis: Redis, delivery: DeliveryScript) -> None:
        self._log = WindowLog(redis, "notes", delivery, window=WINDOW)

    async def push(self, user_id: int, notification_id: int, message: bytes) -> bool:
        """Publish a new or changed notification to its recipient; return whether the recipient is online."""
        inserted = await self._log.republish(notification_id, [user_id], message)
        return inserted.online > 0

    async def push_once(self, user_id: int, notification_id: int, message: bytes) -> bool:
        """Publish a notification unless its log has it already; return whether it was published."""
        inserted = await self._log.insert(notification_id, [user_id], message)
        return inserted.feeds > 0 or inserted.online > 0

    async def push_change(self, user_id: int, entry: int, message: bytes) -> None:
        """Publish to a user's other devices a change of several notifications: one of `MARKS`, or `REMOVALS`."""
        await self._log.republish(entry, [user_id], message)

    async def position(self, user_id: int) -> StreamPosition:
        """Return the end of the stream; create the log if there is none."""
        epoch, top = await self._log.open(user_id)
        return StreamPosition(str(epoch), top)

    async def since(self, user_id: int, epoch: str, offset: int) -> StreamDelta | None:
        """Return what was published to a user after a position, as `StreamLog.since` defines it."""
        return await self._log.since(user_id, epoch, offset)

    async def retained(self, user_id: int) -> StreamDelta:
        """Return every published notification that the log still holds; create the log if there is none."""
        view = await self._log.read(user_id)
        while view is None:
            # The log may expire or be evicted between the two calls, hence the loop.
            await self._log.open(user_id)
            view = await self._log.read(user_id)
        return StreamDelta.retained(view)
