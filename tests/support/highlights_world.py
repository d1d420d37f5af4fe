"""A home feed whose highlights are read: the stores behind it, and what users do to its photos."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

from server.composition.delivery import delivery_script
from storage.cache.cards import Cards
from storage.feeds.feeds import Feeds
from storage.feeds.highlights import Highlights, HighlightsPage, Place
from storage.ids import slot_group
from storage.postgres.database import Database
from storage.postgres.reads import PrimaryReads, Reads
from storage.stores.social import blocks
from tests.support.driver_commands import commands
from tests.support.gallery import Gallery


class HighlightsWorld:
    """Highlights on real stores; `window` is the number of photos that a feed holds."""

    def __init__(self, database: Database, redis: Any, *, window: int = 500, reads: Reads | None = None) -> None:
        self.database = database
        self.redis = redis
        self.gallery = Gallery(database)
        self.cards = Cards(database, redis)
        self.feeds = Feeds(database, redis, self.cards, delivery_script(redis), window=window)
        self.highlights = Highlights(database, reads or PrimaryReads(database), redis, self.feeds)

    async def viewer(self, authors: int) -> tuple[int, list[int]]:
        """Create a viewer who follows so many new authors; return all of them."""
        viewer, *followed = [await self.gallery.user() for _ in range(authors + 1)]
        for author in followed:
            await self.gallery.follow(viewer, author)
        return viewer, followed

    async def photo(self, viewer: int, author: int, *, likes: int = 0, comments: int = 0) -> int:
        """Create a photo with reactions in a viewer's feed."""
        photo = await self.gallery.photo(author)
        await self.feeds.insert(photo, [viewer], b"{}")
        await self.react(photo, likes=likes, comments=comments)
        return photo

    async def react(self, photo: int, *, likes: int, comments: int = 0) -> None:
        """Give a photo so many likes and comments."""
        counters = "UPDATE photos SET likes = $2, comments = $3, version = version + 1 WHERE id = $1"
        await self.database.fetch(counters, photo, likes, comments)

    async def delete(self, viewer: int, photo: int, author: int) -> None:
        """Delete a photo."""
        await self.gallery.delete(photo, author)
        await self.cards.tombstone(photo)
        await self.feeds.remove(photo, [viewer], b"{}")

    async def leave_out(self, viewer: int, author: int, how: str) -> None:
        """Let an author leave the viewer's feed by a block, a mute or an unfollow."""
        async with self.database.transaction() as tx:
            if how == "block":
                await blocks.block(tx, author, viewer)
            elif how == "mute":
                await blocks.mute(tx, viewer, author)
        if how == "unfollow":
            await self.gallery.unfollow(viewer, author)
        await self.feeds.align_author(viewer, author)

    async def first(self, viewer: int, *, since: datetime | None = None, limit: int = 20) -> HighlightsPage:
        """Return the first page."""
        return await self.highlights.first_page(viewer, since=since, limit=limit)

    async def rest(self, viewer: int, place: Place | None, *, limit: int = 20) -> list[int]:
        """Return the ids from a place to the end; all pages but the last are full."""
        found: list[int] = []
        while place is not None:
            page = await self.highlights.next_page(viewer, place, limit=limit)
            assert len(page.photos) == limit or page.next is None
            found += ids_of(page)
            place = page.next
        return found

    async def all(self, viewer: int, *, since: datetime | None = None, limit: int = 20) -> list[int]:
        """Return all ids, read in pages."""
        page = await self.first(viewer, since=since, limit=limit)
        return ids_of(page) + await self.rest(viewer, page.next, limit=limit)

    async def lists(self, viewer: int) -> list[bytes]:
        """Return the keys of the lists that are kept for a viewer."""
        keys = [b"hl:{%d}:%d%b" % (slot_group(viewer), viewer, end) for end in (b"", b":before")]
        return [key for key in keys if await commands(self.redis).exists(key)]

    async def grow_older(self, viewer: int, seconds: int) -> None:
        """Move the time at which the newest list was kept into the past, or the future."""
        key = (await self.lists(viewer))[0]
        made = int.from_bytes((await commands(self.redis).getrange(key, 8, 15)), "big")
        await commands(self.redis).setrange(key, 8, (made - seconds * 1_000_000).to_bytes(8, "big"))

    async def forget(self, viewer: int) -> None:
        """Lose the lists that are kept for a viewer."""
        for key in await self.lists(viewer):
            await commands(self.redis).delete(key)


def ids_of(page: HighlightsPage) -> list[int]:
    """Return a page's ids."""
    return [photo.id for photo in page.photos]


class Scroll:
    """A client that scrolls with pages of random sizes while the feed changes, and the model of what it has to see."""

    def __init__(self, world: HighlightsWorld, viewer: int, photos: dict[int, int], chance: random.Random) -> None:
        self._world = world
        self._viewer = viewer
        self._photos = photos  # id → author, those that are readable
        self._chance = chance

    async def run(self) -> None:
        """Scroll to the end: each photo is there once at most, and each that stayed readable is there."""
        seen: list[int] = []
        at_first = set(self._photos)
        page = await self._world.first(self._viewer, limit=self._chance.randint(1, 9))
        while True:
            assert set(ids_of(page)) <= set(self._photos)
            seen += ids_of(page)
            if page.next is None:
                break
            for _ in range(self._chance.randint(0, 2)):
                await self._change()
            page = await self._world.highlights.next_page(self._viewer, page.next, limit=self._chance.randint(1, 9))
        assert len(seen) == len(set(seen))
        assert at_first & set(self._photos) <= set(seen) <= at_first

    async def _change(self) -> None:
        authors = sorted(set(self._photos.values()))
        if not authors:
            return
        author, photo = self._chance.choice(authors), self._chance.choice(sorted(self._photos))
        act = self._chance.choice(["like"] * 6 + ["upload", "delete", "delete", "leave"])
        if act == "like":
            await self._world.react(photo, likes=self._chance.randint(0, 1000))
        elif act == "upload":
            self._photos[await self._world.photo(self._viewer, author, likes=500)] = author
        elif act == "delete":
            await self._world.delete(self._viewer, photo, self._photos.pop(photo))
        elif len(authors) > 3:
            await self._world.leave_out(self._viewer, author, self._chance.choice(["block", "mute", "unfollow"]))
            for each in [each for each, by in self._photos.items() if by == author]:
                del self._photos[each]
