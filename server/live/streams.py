"""What a person's live streams hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from channels.contract.ports import Position, Publication, Recovery
from server.live.store_errors import store_errors
from storage.cache.cards import Cards
from storage.cache.counters import CounterCache
from storage.feeds.feeds import Feeds
from storage.feeds.notification_log import NotificationLog
from storage.postgres.database import Queryable
from storage.render.images import Sign
from storage.render.photo import assemble
from storage.stores import notifications
from workers.jobs.publications import (
    FEED,
    NOTIFICATIONS,
    notification_new,
    notification_removed,
    photo_new,
    photo_removed,
)

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class LiveStreams:
    """Read the streams "feed" and "notifications" from their logs; publications as they were announced."""

    db: Queryable
    feeds: Feeds
    cards: Cards
    engagement: CounterCache
    notification_log: NotificationLog
    sign: Sign

    async def position(self, user_id: int, stream: str) -> Position:
        """Return the end of a stream; raise `LiveUnavailableError`."""
        with store_errors():
            log = self.feeds if stream == FEED else self.notification_log
            epoch, offset = await log.position(user_id)
        return Position(epoch=epoch, offset=offset)

    async def recover(self, user_id: int, stream: str, since: Position) -> Recovery:
        """Return what came after `since`; raise `LiveUnavailableError`."""
        with store_errors():
            if stream == FEED:
                return await self._recover_feed(user_id, since)
            return await self._recover_notifications(user_id, since)

    async def history(self, user_id: int, stream: str, limit: int, *, newest: bool) -> Recovery:
        """Return up to `limit` of what is kept, oldest first; raise `LiveUnavailableError`."""
        with store_errors():
            if stream == FEED:
                delta = await self.feeds.kept(user_id)
                items = cut(delta.items, limit, newest=newest)
                publications = await self._photos(user_id, items)
                position = Position(epoch=delta.epoch, offset=delta.offset)
            else:
                epoch, top, entries = await self.notification_log.kept(user_id)
                publications = await self._notices(user_id, cut(entries, limit, newest=newest))
                position = Position(epoch=epoch, offset=top)
        return Recovery(recovered=True, publications=publications, position=position)

    async def _recover_feed(self, user_id: int, since: Position) -> Recovery:
        delta = await self.feeds.since(user_id, since.epoch, since.offset)
        if delta is None:
            return await self._lost(user_id, FEED)
        publications = await self._photos(user_id, delta.items)
        return Recovery(
            recovered=True, publications=publications, position=Position(epoch=delta.epoch, offset=delta.offset)
        )

    async def _photos(self, user_id: int, items: Sequence[tuple[int, int, bool]]) -> list[Publication]:
        """Return the publications of (offset, photo id, whether it was removed)."""
        wanted = [photo_id for _, photo_id, removed in items if not removed]
        cards = await self.cards.get(wanted)
        engaged = await self.engagement.read(list(cards), user_id)
        publications = []
        for offset, photo_id, removed in items:
            if removed:
                data = photo_removed(photo_id)
            elif photo_id in cards:
                likes, comments, liked = engaged[photo_id]
                photo = assemble(cards[photo_id], likes=likes, comments=comments, liked=liked, sign=self.sign)
                data = photo_new(photo)
            else:
                continue  # deleted meanwhile
            publications.append(Publication(data=data, offset=offset))
        return publications

    async def _recover_notifications(self, user_id: int, since: Position) -> Recovery:
        epoch, top = await self.notification_log.position(user_id)
        missed = await self.notification_log.since(user_id, since.epoch, since.offset)
        if missed is None:
            return await self._lost(user_id, NOTIFICATIONS)
        publications = await self._notices(user_id, missed)
        # Something may have come between the two questions; the position counts all that is told here.
        offset = max([top, *(offset for offset, _ in missed)])
        return Recovery(recovered=True, publications=publications, position=Position(epoch=epoch, offset=offset))

    async def _notices(self, user_id: int, missed: Sequence[tuple[int, int]]) -> list[Publication]:
        if not missed:
            return []
        entries = await notifications.by_ids(self.db, user_id, [entry_id for _, entry_id in missed])
        counters = await notifications.counters(self.db, user_id)
        found = []
        for offset, entry_id in missed:
            entry = entries.get(entry_id)
            data = notification_new(entry, counters) if entry else notification_removed(entry_id, counters)
            found.append(Publication(data=data, offset=offset))
        return found

    async def _lost(self, user_id: int, stream: str) -> Recovery:
        return Recovery(recovered=False, publications=[], position=await self.position(user_id, stream))


def cut(items: Sequence[T], limit: int, *, newest: bool) -> Sequence[T]:
    """Return at most `limit` items from the end, where the newest are, or from the beginning; in their order."""
    return items[max(0, len(items) - limit) :] if newest else items[:limit]
