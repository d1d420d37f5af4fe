"""One photo in the feeds of its author and of all followers: removal, and the events for those after the first chunk.

The first `CHUNK` followers, in the order of their shard, are served at once. The others are divided into `LANES` ranges
of shards, each of which is worked off by one `fanout.chunk` event after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

from channels.bus import envelope
from channels.contract.causes import current_cause
from storage.events import FanoutChunk
from storage.feeds.feeds import Feeds
from storage.ids import SHARDS, shard_of
from storage.postgres.database import Database
from storage.render.images import Sign
from storage.render.photo import assemble, with_suggestions
from storage.stores.social import follows, stars
from storage.stores.social.follows import Bound
from workers.jobs.feeds.stars import Stars
from workers.jobs.live import publications

CHUNK = 1_000  # followers; one script call for each slot group among them, some 4 ms in all
LANES = 4  # chunks of one photo that may be served at once


class PhotoFeeds:
    """The feeds that have a photo for all followers.

    `sign` makes the URLs of private accounts' photos; without it these are published without URLs. `chunk` is the
    number of followers that are served at once.
    """

    def __init__(self, db: Database, feeds: Feeds, *, stars: Stars, sign: Sign | None = None, chunk: int) -> None:
        self._db = db
        self._feeds = feeds
        self._stars = stars
        self._sign = sign
        self.chunk = chunk

    def document(
        self, card: bytes, likes: int, comments: int, suggestions: Mapping[str, str] = MappingProxyType({})
    ) -> bytes:
        """Return the document of a photo that appears in feeds."""
        # `liked` is false for all: one document serves every recipient, and the photo is new to them.
        photo = assemble(card, likes=likes, comments=comments, liked=False, sign=self._sign)
        return publications.photo_new(with_suggestions(photo, suggestions))

    async def first_followers(self, author_id: int) -> list[int]:
        """Return the followers of the first chunk."""
        return await follows.follower_ids(self._db, author_id, after=None, until=None, limit=self.chunk)

    async def remove_from_all(self, photo_id: int, author_id: int) -> None:
        """Remove a photo from the feeds of its author and all followers, and publish its removal."""
        followers, standing = await asyncio.gather(self.first_followers(author_id), stars.standing(self._db, author_id))
        removed = message(publications.photo_removed(photo_id))
        announced = await self._stars.remove(photo_id, author_id, standing, removed)
        recipients = [] if announced else followers
        await self._feeds.remove(photo_id, [author_id, *recipients], removed)
        if not announced:
            await self.serve_rest(photo_id, author_id, followers, remove=True)

    async def restore_to_all(self, photo_id: int, author_id: int, document: bytes) -> None:
        """Insert a photo that was removed into the feeds of its author and all followers, and publish it."""
        followers, standing = await asyncio.gather(self.first_followers(author_id), stars.standing(self._db, author_id))
        announced = await self._stars.announce(photo_id, author_id, standing, message(document), restore=True)
        recipients = [] if announced else followers
        await self._feeds.insert(photo_id, [author_id, *recipients], message(document), restore=True)
        if not announced:
            await self.serve_rest(photo_id, author_id, followers, restore=True)

    async def serve_rest(
        self, photo_id: int, author_id: int, served: list[int], *, remove: bool = False, restore: bool = False
    ) -> None:
        """Emit the events for the followers after the first chunk, if it was full."""
        if len(served) < self.chunk:
            return
        async with self._db.transaction() as tx:
            for after, until in lanes((shard_of(served[-1]), served[-1])):
                tx.emit(
                    FanoutChunk(
                        photo_id=photo_id,
                        author_id=author_id,
                        remove=remove,
                        restore=restore,
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


def message(document: bytes) -> bytes:
    """Return the message of a document to the stream "feed"."""
    return envelope.stream_body(publications.FEED, document, current_cause())
