"""Bring photos into followers' feeds and before their eyes, and take them out again.

A photo of few followers is inserted at once; with more the work is cut into `fanout.chunk` events of up
to `CHUNK` followers in the order of their shard, which any worker may take. Whatever an event says, the
handlers act on what the database says when they run: events may come late, twice or in another order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from channels.bus import envelope
from channels.bus.publisher import LivePublisher
from storage.cache.cards import Cards
from storage.cache.counters import CounterCache
from storage.events import FanoutChunk, PhotoDeleted, PhotoReady
from storage.feeds.feeds import Feeds
from storage.ids import SHARDS, shard_of
from storage.models import Photo, PhotoCounters, PhotoState
from storage.postgres.database import Database
from storage.render.images import Sign
from storage.render.photo import photo_json
from storage.stores import photos, relations
from storage.stores.relations import Bound
from workers.jobs import publications
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.handlers import EventHandler, on
from workers.jobs.relations import RelationHandlers

CHUNK = 1_000  # followers; one script call for each slot group among them, some 4 ms in all
_FIRST: Bound = (-1, -1)
_LAST: Bound = (SHARDS, 0)  # past every follower, those who came since the chunks were cut included


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "fanout"."""
    yield FanoutHandlers(
        context.db, context.feeds, context.cards, context.counters, context.publisher, sign=context.sign
    ).handlers()


class FanoutHandlers:
    """Work the queue "fanout": photos here, who sees whom in `workers.jobs.relations`.

    `sign` makes the URLs of private accounts' photos; without it these are told without URLs. `chunk` is
    how many followers are served at once.
    """

    def __init__(
        self,
        db: Database,
        feeds: Feeds,
        cards: Cards,
        engagement: CounterCache,
        publisher: LivePublisher,
        *,
        sign: Sign | None = None,
        chunk: int = CHUNK,
    ) -> None:
        self._db = db
        self._feeds = feeds
        self._cards = cards
        self._engagement = engagement
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
        """Put a new photo into the feeds of its author and the followers, and tell those who are online."""
        photo, followers = await asyncio.gather(self._load(event.photo_id), self._first_followers(event.author_id))
        if photo is None:
            return
        # The card stands before anybody hears of the photo: who is told, reads it.
        await asyncio.gather(self._cards.refresh(photo.id), self._engagement.apply(_state(photo), None))
        document = publications.photo_new(photo_json(photo, liked=False, sign=self._sign))
        message = _message(document)
        if len(followers) <= self._chunk:
            await self._feeds.insert(photo.id, [event.author_id, *followers], message)
        else:
            await self._feeds.insert(photo.id, [event.author_id], message)
            await self._cut(event, remove=False)
        await self._publisher.to_topic(publications.user_topic(event.author_id), document)

    async def deleted(self, event: PhotoDeleted) -> None:
        """Take a photo out of all feeds, tell those who are online, and end its topic."""
        await self._cards.tombstone(event.photo_id)
        followers = await self._first_followers(event.author_id)
        document = publications.photo_removed(event.photo_id)
        message = _message(document)
        if len(followers) <= self._chunk:
            await self._feeds.remove(event.photo_id, [event.author_id, *followers], message)
        else:
            await self._feeds.remove(event.photo_id, [event.author_id], message)
            await self._cut(event, remove=True)
        await self._publisher.to_topic(publications.user_topic(event.author_id), document)
        await self._publisher.close_topic(publications.photo_topic(event.photo_id))

    async def chunk(self, event: FanoutChunk) -> None:
        """Insert or remove one photo for one part of the followers."""
        if event.remove:
            message = _message(publications.photo_removed(event.photo_id))
        else:
            photo = await self._load(event.photo_id)
            if photo is None:
                return
            document = photo_json(photo, liked=False, sign=self._sign)
            message = _message(publications.photo_new(document))
        spread = self._feeds.remove if event.remove else self._feeds.insert
        after, until = (event.after_shard, event.after_id), (event.until_shard, event.until_id)
        while followers := await relations.follower_ids(
            self._db, event.author_id, after=after, until=until, limit=self._chunk
        ):
            await spread(event.photo_id, followers, message)
            after = (shard_of(followers[-1]), followers[-1])

    async def _load(self, photo_id: int) -> Photo | None:
        photo = (await photos.load(self._db, [photo_id])).get(photo_id)
        return photo if photo is not None and photo.state is PhotoState.READY else None

    async def _first_followers(self, author_id: int) -> list[int]:
        """Return one follower more than are served at once, if there are so many."""
        return await relations.follower_ids(self._db, author_id, after=None, until=None, limit=self._chunk + 1)

    async def _cut(self, event: PhotoReady | PhotoDeleted, *, remove: bool) -> None:
        bounds = await relations.chunk_bounds(self._db, event.author_id, size=self._chunk)
        async with self._db.transaction() as tx:
            for after, until in chunks(bounds):
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


def chunks(bounds: Sequence[Bound]) -> list[tuple[Bound, Bound]]:
    """Return (after, until) of each chunk, from the last follower of each; together they hold every follower."""
    ends = [*bounds[:-1], _LAST]
    return list(zip([_FIRST, *ends], ends, strict=False))


def _message(document: bytes) -> bytes:
    return envelope.stream_body(publications.FEED, document)


def _state(photo: Photo) -> PhotoCounters:
    return PhotoCounters(
        photo_id=photo.id,
        liked=False,
        likes=photo.likes,
        comments=photo.comments,
        version=photo.version,
        changed=True,
    )
