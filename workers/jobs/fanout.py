"""Fan-out of photos: into followers' feeds and onto their live connections, and out of both again.

The first `CHUNK` followers, in the order of their shard, are served at once. The others are divided into `LANES` ranges
of shards. Each range is worked off chunk by chunk in the queue "bulk", by one `fanout.chunk` event after the other: so
a photo never has more than a few events there, whatever the number of followers. The handlers act on the state of the
stores when they run, not on the event: events may be late, repeated or out of order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from channels.bus import envelope
from channels.bus.publisher import LivePublisher
from storage.cache.cards import Cards
from storage.cache.counters import CounterCache
from storage.events import FanoutChunk, PhotoDeleted, PhotoReady
from storage.feeds.feeds import Feeds
from storage.ids import SHARDS, shard_of
from storage.models import Photo, PhotoCounters
from storage.postgres.database import Database
from storage.render.images import Sign
from storage.render.photo import assemble
from storage.stores import follows
from storage.stores.follows import Bound
from workers.handlers import EventHandler, on
from workers.jobs import publications
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.relations import RelationHandlers

CHUNK = 1_000  # followers; one script call for each slot group among them, some 4 ms in all
LANES = 4  # chunks of one photo that may be served at once


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "fanout"."""
    fanout = FanoutHandlers(
        context.db, context.feeds, context.cards, context.counter_cache, context.publisher, sign=context.sign
    )
    yield {**fanout.handlers(), **context.sessions.handlers()}


class FanoutHandlers:
    """Handlers of the queue "fanout": photos here, relations between users in `workers.jobs.relations`.

    `sign` makes the URLs of private accounts' photos; without it these are published without URLs. `chunk` is the
    number of followers that one event serves.
    """

    def __init__(
        self,
        db: Database,
        feeds: Feeds,
        cards: Cards,
        counter_cache: CounterCache,
        publisher: LivePublisher,
        *,
        sign: Sign | None = None,
        chunk: int = CHUNK,
    ) -> None:
        self._db = db
        self._feeds = feeds
        self._cards = cards
        self._counter_cache = counter_cache
        self._publisher = publisher
        self._sign = sign
        self._chunk = chunk

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic of the queue."""
        relations = RelationHandlers(self._db, self._feeds, self._cards, self._publisher)
        return {
            **on(PhotoReady, self.ready),
            **on(PhotoDeleted, self.deleted),
            **on(FanoutChunk, self.chunk),
            **relations.handlers(),
        }

    async def ready(self, event: PhotoReady) -> None:
        """Insert a new photo into the feeds of its author and the followers, and publish it."""
        # The card is stored before the photo is published, because clients read the card of what they receive.
        stored, followers = await asyncio.gather(
            self._cards.refresh(event.photo_id), self._first_followers(event.author_id)
        )
        if stored is None:
            return
        photo, card = stored
        await self._counter_cache.apply(_counters(photo), None)
        document = self._new_photo(card, photo.likes, photo.comments)
        message = _message(document)
        await self._feeds.insert(photo.id, [event.author_id, *followers], message)
        await self._continue(event, followers, remove=False)
        await self._publisher.to_topic(publications.user_topic(event.author_id), document)

    async def deleted(self, event: PhotoDeleted) -> None:
        """Remove a photo from all feeds, publish its removal, and close its topic."""
        # From here on no insertion of a late event, and no reader, can bring the photo back.
        await self._cards.tombstone(event.photo_id)
        followers = await self._first_followers(event.author_id)
        document = publications.photo_removed(event.photo_id)
        message = _message(document)
        await self._feeds.remove(event.photo_id, [event.author_id, *followers], message)
        await self._continue(event, followers, remove=True)
        await self._publisher.to_topic(publications.user_topic(event.author_id), document)
        await self._publisher.close_topic(publications.photo_topic(event.photo_id))

    async def chunk(self, event: FanoutChunk) -> None:
        """Insert or remove one photo for the first chunk of a range of followers, and emit the event of the next."""
        if event.remove:
            change, document = self._feeds.remove, publications.photo_removed(event.photo_id)
        else:
            # `ready` has stored the card, so that a photo's chunks do not read and render it again.
            cards, counts = await asyncio.gather(
                self._cards.get([event.photo_id]), self._counter_cache.counts(event.photo_id)
            )
            if event.photo_id not in cards:
                return
            change, document = self._feeds.insert, self._new_photo(cards[event.photo_id], *counts)
        message = _message(document)
        after, until = (event.after_shard, event.after_id), (event.until_shard, event.until_id)
        followers = await follows.follower_ids(self._db, event.author_id, after=after, until=until, limit=self._chunk)
        if followers:
            await change(event.photo_id, followers, message)
        if len(followers) == self._chunk:
            async with self._db.transaction() as tx:
                tx.emit(replace(event, after_shard=shard_of(followers[-1]), after_id=followers[-1]))

    async def hide(self, photo_ids: Sequence[int]) -> None:
        """Keep photos of a deleted account away from all readers, and close their topics."""
        await self._cards.tombstone(*photo_ids)
        for photo_id in photo_ids:
            await self._publisher.close_topic(publications.photo_topic(photo_id))

    async def remove_from_chunk(self, author_id: int, photo_ids: Sequence[int], *, after: Bound) -> int | None:
        """Remove photos from the feeds of the first chunk of followers after `after`, and publish their removal.

        Return the chunk's last follower, or None where no follower is left.
        """
        followers = await follows.follower_ids(self._db, author_id, after=after, until=None, limit=self._chunk)
        for photo_id in photo_ids if followers else ():
            await self._feeds.remove(photo_id, followers, _message(publications.photo_removed(photo_id)))
        return followers[-1] if len(followers) == self._chunk else None

    def _new_photo(self, card: bytes, likes: int, comments: int) -> bytes:
        # `liked` is false for all: one document serves every recipient, and the photo is new to them.
        return publications.photo_new(assemble(card, likes=likes, comments=comments, liked=False, sign=self._sign))

    async def _first_followers(self, author_id: int) -> list[int]:
        return await follows.follower_ids(self._db, author_id, after=None, until=None, limit=self._chunk)

    async def _continue(self, event: PhotoReady | PhotoDeleted, served: list[int], *, remove: bool) -> None:
        """Emit the events for the followers after the first chunk, if it was full."""
        if len(served) < self._chunk:
            return
        async with self._db.transaction() as tx:
            for after, until in lanes((shard_of(served[-1]), served[-1])):
                tx.emit(
                    FanoutChunk(
                        photo_id=event.photo_id,
                        author_id=event.author_id,
                        remove=remove,
                        after_shard=after[0],
                        after_id=after[1],
                        until_shard=until[0],
                        until_id=until[1],
                    )
                )


def lanes(after: Bound) -> list[tuple[Bound, Bound]]:
    """Return (after, until) of ranges of about as many shards; together they hold every follower after `after`."""
    # No id is 0, so the last follower of a range has a lower shard than its end.
    ends = [(SHARDS * (number + 1) // LANES, 0) for number in range(LANES)]
    starts = [(-1, -1), *ends[:-1]]
    return [(max(start, after), end) for start, end in zip(starts, ends, strict=True) if after < end]


def _message(document: bytes) -> bytes:
    return envelope.stream_body(publications.FEED, document)


def _counters(photo: Photo) -> PhotoCounters:
    return PhotoCounters(
        photo_id=photo.id,
        liked=False,
        likes=photo.likes,
        comments=photo.comments,
        version=photo.version,
        changed=True,
    )
