"""The live streams of a user: their logs in Redis, and the publications that log entries become."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from channels.contract.ports import Position, Publication, Recovery
from server.live.store_errors import store_errors
from storage.cache.cards import Cards
from storage.cache.counters import CounterCache
from storage.feeds.feeds import Feeds
from storage.feeds.log_format import Entry
from storage.feeds.notification_log import MARKS, REMOVALS, WINDOW, NotificationLog
from storage.feeds.stream_log import StreamDelta, StreamLog
from storage.ids import shard_of
from storage.postgres.database import Queryable
from storage.render.images import Sign
from storage.render.photo import assemble, with_suggestions
from storage.stores.notifications import (
    notification_counters,
    notification_marks,
    notification_removal,
    notifications,
)
from storage.stores.notifications.notification_marks import Selection
from storage.stores.photos import photo_exif
from workers.jobs.live.publications import (
    FEED,
    NOTIFICATIONS,
    notification_changed,
    notification_new,
    notification_removed,
    notifications_marked,
    notifications_removed,
    photo_new,
    photo_removed,
)

_MARKS = {entry_id: mark for mark, entry_id in MARKS.items()}


class Stream(Protocol):
    """One kind of stream: its log, and how the log's entries become publications."""

    @property
    def log(self) -> StreamLog:
        """The log that clients recover from."""
        ...

    async def publications(self, user_id: int, entries: Sequence[Entry]) -> list[Publication]:
        """Return the publications of entries, in their order; entries that no longer exist are left out."""
        ...


@dataclass(frozen=True, kw_only=True)
class FeedStream:
    """The stream "feed": photos that were added to the home feed or removed from it."""

    log: StreamLog
    cards: Cards
    counter_cache: CounterCache
    sign: Sign
    db: Queryable

    async def publications(self, user_id: int, entries: Sequence[Entry]) -> list[Publication]:
        """Return a photo's current JSON, with the viewer's like, or its removal.

        Deleted photos are left out, and those for an audience without the viewer.
        The user's own photos have suggestions.
        """
        cards = await self.cards.get([entry.id for entry in entries if not entry.removed])
        for photo_id in await self.cards.hidden_from(user_id, cards):
            del cards[photo_id]
        counters = await self.counter_cache.read(list(cards), user_id)
        # A user's own photos are in their shard, and mostly there are none among those that were missed.
        own = [photo_id for photo_id in cards if shard_of(photo_id) == shard_of(user_id)]
        suggested = await photo_exif.suggestions(self.db, own, author_id=user_id) if own else {}
        publications = []
        for entry in entries:
            if entry.removed:
                data = photo_removed(entry.id)
            elif entry.id in cards:
                likes, comments, liked = counters[entry.id]
                photo = assemble(cards[entry.id], likes=likes, comments=comments, liked=liked, sign=self.sign)
                data = photo_new(with_suggestions(photo, suggested.get(entry.id, {})))
            else:
                # The photo was deleted after it was published, and its removal has an offset of its own; or the user is
                # no close friend of the author any more.
                continue
            publications.append(Publication(data=data, offset=entry.offset))
        return publications


@dataclass(frozen=True, kw_only=True)
class NotificationStream:
    """The stream "notifications": new and changed notifications, and those that are gone."""

    log: StreamLog
    db: Queryable

    async def publications(self, user_id: int, entries: Sequence[Entry]) -> list[Publication]:
        """Return each notification as it is now, or its removal, with the counters of the inbox."""
        if not entries:
            return []
        found = await notifications.by_ids(self.db, user_id, [entry.id for entry in entries])
        counters = await notification_counters.read(self.db, user_id)
        publications = []
        for entry in entries:
            notification = found.get(entry.id)
            if entry.id in _MARKS:
                # The log does not say which notifications were marked, so all that are marked by now are named.
                mark = _MARKS[entry.id]
                marked = await notification_marks.marked(self.db, user_id, mark, limit=WINDOW)
                data = notifications_marked(mark, counters, Selection(entry_ids=marked))
            elif entry.id == REMOVALS:
                removed = await notification_removal.dismissed(self.db, user_id, limit=WINDOW)
                data = notifications_removed(counters, Selection(entry_ids=removed))
            elif notification is None:
                data = notification_removed(entry.id, counters)
            elif notification.silent:
                data = notification_changed(notification, counters)
            else:
                data = notification_new(notification, counters)
            publications.append(Publication(data=data, offset=entry.offset))
        return publications


class LiveStreams:
    """Read positions, missed publications and history of the streams, given by name.

    All methods raise `LiveUnavailableError` if an engine does not answer.
    """

    def __init__(self, streams: Mapping[str, Stream], feeds: Feeds) -> None:
        self._streams = streams
        self._feeds = feeds

    async def position(self, user_id: int, stream: str) -> Position:
        """Return the end of a stream."""
        with store_errors():
            epoch, offset = await self._streams[stream].log.position(user_id)
        return Position(epoch=epoch, offset=offset)

    async def recover(self, user_id: int, stream: str, since: Position) -> Recovery:
        """Return what was published after `since`; not recovered, with the current position, if that is unknown."""
        with store_errors():
            delta = await self._streams[stream].log.since(user_id, since.epoch, since.offset)
            if delta is not None:
                return await self._recovery(user_id, stream, delta, delta.entries)
        return Recovery(recovered=False, publications=[], position=await self.position(user_id, stream))

    async def stars(self, user_id: int) -> Collection[int]:
        """Return the stars whose announcements belong to a user's home feed."""
        with store_errors():
            return await self._feeds.stars_of(user_id)

    async def history(self, user_id: int, stream: str, limit: int, *, newest: bool) -> Recovery:
        """Return up to `limit` of the retained publications, by ascending offset."""
        with store_errors():
            delta = await self._streams[stream].log.retained(user_id)
            return await self._recovery(user_id, stream, delta, limited(delta.entries, limit, newest=newest))

    async def _recovery(self, user_id: int, stream: str, delta: StreamDelta, entries: Sequence[Entry]) -> Recovery:
        epoch, offset = delta.position
        publications = await self._streams[stream].publications(user_id, entries)
        return Recovery(recovered=True, publications=publications, position=Position(epoch=epoch, offset=offset))


def live_streams(
    *,
    db: Queryable,
    feeds: Feeds,
    cards: Cards,
    counter_cache: CounterCache,
    notification_log: NotificationLog,
    sign: Sign,
) -> LiveStreams:
    """Return the streams that every live connection is subscribed to, by name."""
    return LiveStreams(
        {
            FEED: FeedStream(log=feeds, cards=cards, counter_cache=counter_cache, sign=sign, db=db),
            NOTIFICATIONS: NotificationStream(log=notification_log, db=db),
        },
        feeds,
    )


def limited(entries: Sequence[Entry], limit: int, *, newest: bool) -> Sequence[Entry]:
    """Return at most `limit` entries, the last ones if `newest`, else the first ones; in their order."""
    return entries[max(0, len(entries) - limit) :] if newest else entries[:limit]
