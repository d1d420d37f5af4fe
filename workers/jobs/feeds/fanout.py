"""Fan-out of photos: into followers' feeds and onto their live connections, and out of both again.

The first followers are served at once, and the others chunk by chunk in the queue "bulk"
(`workers.jobs.feeds.photo_feeds`): so a photo never has more than a few events there, whatever the number of followers.
Photos of stars are announced instead (`workers.jobs.feeds.stars`). The handlers act on the state of the stores when
they run, not on the event: events may be late, repeated or out of order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from channels.bus.publisher import LivePublisher
from channels.contract.causes import Stage, reached
from storage.cache.cards import Cards
from storage.cache.counters import CounterCache
from storage.events import FanoutChunk, PhotoAudienceChanged, PhotoDeleted, PhotoEdited, PhotoImported, PhotoReady
from storage.feeds.feeds import Feeds
from storage.ids import shard_of
from storage.models import Photo, PhotoAudience, PhotoCounters
from storage.postgres.database import Database
from storage.render.images import Sign
from storage.render.photo import is_restricted
from storage.stores.photos import photo_exif, photo_lists
from storage.stores.social import follows, stars
from storage.stores.social.follows import Bound
from workers.handlers import EventHandler, on
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.feeds.audience_feeds import AudienceFeeds
from workers.jobs.feeds.follower_publications import FollowerPublications
from workers.jobs.feeds.hidden_photos import HiddenPhotos
from workers.jobs.feeds.photo_feeds import CHUNK, PhotoFeeds, message
from workers.jobs.feeds.relations import RelationHandlers
from workers.jobs.feeds.stars import Stars
from workers.jobs.live import publications
from workers.jobs.live.permissions import LivePermissions
from workers.jobs.live.sessions import EndedSessions


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "fanout"."""
    fanout = fanout_handlers(context)
    yield {**fanout.handlers(), **EndedSessions(context.db, context.sessions).handlers()}


def fanout_handlers(context: WorkerContext) -> FanoutHandlers:
    """Return the handlers of photos."""
    return FanoutHandlers(
        context.db,
        context.feeds,
        context.cards,
        context.counter_cache,
        context.publisher,
        stars=Stars(context.db, context.feeds, followers=context.star_followers, metrics=context.star_metrics),
        sign=context.sign,
    )


class FanoutHandlers:
    """Handlers of the queue "fanout": photos here, relations between users in `workers.jobs.feeds.relations`.

    `sign` and `chunk` as in `PhotoFeeds`; `stars` has the handler of their chunks, in the queue "bulk".
    """

    def __init__(
        self,
        db: Database,
        feeds: Feeds,
        cards: Cards,
        counter_cache: CounterCache,
        publisher: LivePublisher,
        *,
        stars: Stars,
        sign: Sign | None = None,
        chunk: int = CHUNK,
    ) -> None:
        self._db = db
        self._feeds = feeds
        self._cards = cards
        self._counter_cache = counter_cache
        self._publisher = publisher
        self.stars = stars
        self._photo_feeds = PhotoFeeds(db, feeds, stars=stars, sign=sign, chunk=chunk)
        self._audience_feeds = AudienceFeeds(db, feeds, cards)
        self._followers = FollowerPublications(db, publisher)
        self._hidden_photos = HiddenPhotos(
            feeds,
            cards,
            publisher,
            LivePermissions(db, publisher),
            photo_feeds=self._photo_feeds,
            audiences=self._audience_feeds,
            edited=self._publish_description,
        )

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic of the queue."""
        relations = RelationHandlers(self._db, self._feeds, self._cards, self._publisher)
        return {
            **on(PhotoReady, self.ready),
            **on(PhotoImported, self.imported),
            **on(PhotoEdited, self.edited),
            **on(PhotoAudienceChanged, self.audience_changed),
            **on(PhotoDeleted, self.deleted),
            **on(FanoutChunk, self.chunk),
            **self._hidden_photos.handlers(),
            **relations.handlers(),
        }

    async def ready(self, event: PhotoReady) -> None:
        """Insert a new photo into the feeds of its author and the followers, and publish it.

        A star's photo is inserted into the author's feed only, and announced to the followers'.
        """
        # The card is stored before the photo is published, because clients read the card of what they receive.
        stored, followers, suggested, standing = await asyncio.gather(
            self._cards.refresh(event.photo_id),
            self._photo_feeds.first_followers(event.author_id),
            photo_exif.suggestions(self._db, [event.photo_id], author_id=event.author_id),
            stars.standing(self._db, event.author_id),
        )
        if stored is None:
            return
        photo, card = stored
        await self._counter_cache.apply(_counters(photo), None)
        document = self._photo_feeds.document(card, photo.likes, photo.comments)
        announced = False
        if photo.restricted:
            followers = await self._audience_feeds.readers(event.author_id, photo.audience)
        else:
            announced = await self.stars.announce(photo.id, event.author_id, standing, message(document))
        recipients = [] if announced else followers
        if suggested:
            own = self._photo_feeds.document(card, photo.likes, photo.comments, suggested[photo.id])
            await self._feeds.insert(photo.id, [event.author_id], message(own))
        else:
            recipients = [event.author_id, *recipients]
        await self._feeds.insert(photo.id, recipients, message(document))
        reached(Stage.INSERTED, Stage.PUBLISHED)  # one script does both
        if not (photo.restricted or announced):
            await self._photo_feeds.serve_rest(photo.id, event.author_id, followers)
        await self.stars.reconsider(event.author_id, standing)
        if photo.audience is PhotoAudience.PUBLIC:
            # The topic is for everyone who may see the profile.
            await self._publisher.to_topic(publications.user_topic(event.author_id), document)
        # As in the list of the newest photos, which a private or limited account's are not in.
        if photo.public and await photo_lists.public_among(self._db, [photo.id], viewer_id=None):
            await self._publisher.to_topic(publications.PUBLIC_TOPIC, document, author_ids=[event.author_id])

    async def imported(self, event: PhotoImported) -> None:
        """Store the card of an imported photo, and merge it into its author's feed; nothing is published.

        Followers find it in the profile, and in their feeds at its date once these are built again.
        """
        stored = await self._cards.refresh(event.photo_id)
        if stored is not None:
            await self._counter_cache.apply(_counters(stored[0]), None)
            await self._feeds.log.merge(event.author_id, [event.photo_id])

    async def audience_changed(self, event: PhotoAudienceChanged) -> None:
        """Let a photo appear in the feeds and live connections of its present audience, and nowhere else."""
        stored = await self._cards.refresh(event.photo_id)
        if stored is None:
            # It was hidden or deleted meanwhile, which withdraws it from its audience at that time alone.
            await self._hidden_photos.withdraw(event.photo_id, event.author_id, PhotoAudience(event.former))
            return
        photo, card = stored
        await self._publisher.recheck_topic(publications.photo_topic(photo.id))
        document = self._photo_feeds.document(card, photo.likes, photo.comments)
        followers = await self._photo_feeds.first_followers(event.author_id)
        if photo.restricted:
            await self._remove_restricted(event, followers, document)
            readers = await self._audience_feeds.readers(event.author_id, photo.audience)
            await self._feeds.insert(photo.id, readers, message(document), restore=True)
        else:
            await self._feeds.insert(photo.id, followers, message(document), restore=True)
        await self._photo_feeds.serve_rest(photo.id, event.author_id, followers, remove=photo.restricted, restore=True)
        topic = publications.user_topic(event.author_id)
        if photo.audience is PhotoAudience.PUBLIC:
            await self._publisher.to_topic(topic, document)
        elif event.former == PhotoAudience.PUBLIC:
            await self._publisher.to_topic(topic, publications.photo_removed(photo.id))
        await self._publisher.to_topic(publications.photo_topic(photo.id), publications.photo_edited(photo))

    async def edited(self, event: PhotoEdited) -> None:
        """Publish the present description of a photo to those who have it open, or in their feeds."""
        photo = await self._publish_description(event.photo_id)
        if photo is None:
            return
        # Not kept in the feeds, as the photo itself is: clients that are not connected see it with their next read.
        document, users = publications.photo_edited(photo), [event.author_id]
        if photo.restricted:
            users += await self._audience_feeds.readers(event.author_id, photo.audience)
        else:
            await self._followers.publish(event.author_id, document)
        await self._publisher.to_users(users, message(document))

    async def deleted(self, event: PhotoDeleted) -> None:
        """Remove a photo from all feeds, publish its removal, and close its topic."""
        # From here on no insertion of a late event, and no reader, can bring the photo back.
        await self._cards.tombstone(event.photo_id)
        audience = PhotoAudience(event.audience)
        await self._hidden_photos.withdraw(event.photo_id, event.author_id, audience)
        await self._publisher.close_topic(publications.photo_topic(event.photo_id))

    async def chunk(self, event: FanoutChunk) -> None:
        """Insert or remove one photo for the first chunk of a range of followers, and emit the event of the next."""
        # `ready` has stored the card, so that a photo's chunks do not read and render it again.
        cards, counts = await asyncio.gather(
            self._cards.get([event.photo_id]), self._counter_cache.counts(event.photo_id)
        )
        card = cards.get(event.photo_id)
        # Something else has happened to the photo since, and has events of its own.
        if event.remove != (card is None or is_restricted(card)):
            return
        after, until = (event.after_shard, event.after_id), (event.until_shard, event.until_id)
        followers = await follows.follower_ids(
            self._db, event.author_id, after=after, until=until, limit=self._photo_feeds.chunk
        )
        if followers and card is None:
            await self._feeds.remove(event.photo_id, followers, message(publications.photo_removed(event.photo_id)))
            await self._hidden_photos.keep_shown(event.photo_id, followers)
        elif followers and card is not None:
            document = self._photo_feeds.document(card, *counts)
            if event.remove:
                await self._remove_restricted(event, followers, document)
            else:
                await self._feeds.insert(event.photo_id, followers, message(document), restore=event.restore)
                if event.restore:
                    await self._hidden_photos.keep_hidden(event.photo_id, followers)
        if len(followers) == self._photo_feeds.chunk:
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
        followers = await follows.follower_ids(
            self._db, author_id, after=after, until=None, limit=self._photo_feeds.chunk
        )
        for photo_id in photo_ids if followers else ():
            await self._feeds.remove(photo_id, followers, message(publications.photo_removed(photo_id)))
        return followers[-1] if len(followers) == self._photo_feeds.chunk else None

    async def _publish_description(self, photo_id: int) -> Photo | None:
        """Publish a photo's description on its topic, and return the photo, None if it is not shown."""
        stored = await self._cards.refresh(photo_id)
        if stored is None:
            return None
        photo, _ = stored
        await self._publisher.to_topic(publications.photo_topic(photo_id), publications.photo_edited(photo))
        return photo

    async def _remove_restricted(
        self, event: PhotoAudienceChanged | FanoutChunk, followers: list[int], document: bytes
    ) -> None:
        removed = publications.photo_removed(event.photo_id)
        await self._audience_feeds.remove(
            event.photo_id, event.author_id, followers, removed=message(removed), new=message(document)
        )


def _counters(photo: Photo) -> PhotoCounters:
    return PhotoCounters(
        photo_id=photo.id,
        liked=False,
        likes=photo.likes,
        comments=photo.comments,
        version=photo.version,
        changed=True,
    )
