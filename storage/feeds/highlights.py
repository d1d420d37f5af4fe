"""The home feed in the order of its highlights: the most liked photos since a time, for their age, first.

The ids are those of the viewer's log, at most a window of them. They are ordered by the score that also ranks trending
photos (`storage.trends`), spread over their authors (`storage.feeds.diversity`), and kept in this order while they are
read (`storage.feeds.frozen_lists`): likes would change it between two pages. What a page shows of a photo, and whether,
is read for each page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

from storage.errors import ListExpiredError
from storage.feeds.diversity import spread
from storage.feeds.feeds import Feeds
from storage.feeds.frozen_lists import FrozenList, FrozenLists
from storage.ids import first_id_at
from storage.models import Photo
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.redis.client import Redis
from storage.stores.accounts import users
from storage.stores.photos import home_photos, photo_lists
from storage.stores.photos.home_photos import Reactions
from storage.trends import hotness

_ATTEMPTS = 3  # to read the log, which is built in between
_AT_ONCE = 100  # photos per statement, where most of a list is not to be shown any more
_LAST_VISIT = 0  # the wish of a viewer who names no time
_EPOCH = datetime.fromtimestamp(0, UTC)


class Place(NamedTuple):
    """A place in a list: the list's id, and the number of photos before the place."""

    list_id: int
    before: int


class HighlightsPage(NamedTuple):
    """A page; `since` is None if the list has all photos, and `next` is None at its end."""

    photos: list[Photo]
    since: datetime | None
    next: Place | None


class Highlights:
    """Reads pages; raises `UnavailableError` if an engine does not answer.

    Pages are read from `reads`. A list is made from `db`, the primary: what a replica does not have yet would be
    missing from it for as long as it is kept.
    """

    def __init__(self, db: Queryable, reads: Reads, redis: Redis, feeds: Feeds) -> None:
        self._db = db
        self._reads = reads
        self._feeds = feeds
        self._lists = FrozenLists(redis)

    async def first_page(self, viewer_id: int, *, since: datetime | None, limit: int) -> HighlightsPage:
        """Return the beginning of the photos since a time, None for the viewer's previous visit.

        For ten minutes the order stays the same.
        """
        wish = _LAST_VISIT if since is None else max(_milliseconds(since), 1)
        kept = await self._lists.newest(viewer_id, wish=wish)
        if kept is None:
            begins = wish or _milliseconds(await users.previous_visit(self._db, viewer_id))
            photo_ids = await self._order(viewer_id, first_id_at(begins / 1000))
            if not photo_ids:
                # Nothing is kept, so the next request finds what has come in the meantime.
                return HighlightsPage([], _moment(begins), None)
            kept = await self._lists.keep(viewer_id, photo_ids, wish=wish, since=begins)
        return await self._page(viewer_id, kept, 0, limit)

    async def next_page(self, viewer_id: int, place: Place, *, limit: int) -> HighlightsPage:
        """Return the photos from a place on; raise `ListExpiredError` if the list is not kept any more."""
        kept = await self._lists.find(viewer_id, place.list_id)
        if kept is None:
            raise ListExpiredError
        return await self._page(viewer_id, kept, place.before, limit)

    async def _page(self, viewer_id: int, kept: FrozenList, index: int, limit: int) -> HighlightsPage:
        """Return up to `limit` of the photos that still belong to the feed."""
        found: list[tuple[int, Photo]] = []
        # One more than a page shows whether there is a next one, and where it begins.
        wanted, size = limit + 1, limit + 1
        while len(found) < wanted and index < len(kept.photo_ids):
            part = kept.photo_ids[index : index + size]
            shown = await self._shown(viewer_id, part)
            found += [(at, shown[photo_id]) for at, photo_id in enumerate(part, index) if photo_id in shown]
            index, size = index + len(part), _AT_ONCE
        following = Place(kept.id, found[limit][0]) if len(found) > limit else None
        return HighlightsPage([photo for _, photo in found[:limit]], _moment(kept.since), following)

    async def _shown(self, viewer_id: int, photo_ids: Sequence[int]) -> Mapping[int, Photo]:
        """Return those of the photos that belong to the feed."""
        shown = await self._reads.read(viewer_id, partial(home_photos.by_ids, photo_ids=photo_ids, viewer_id=viewer_id))
        missing = [photo_id for photo_id in photo_ids if photo_id not in shown]
        if missing:
            # A replica may not have them yet, and no later page will have them.
            shown |= await home_photos.by_ids(self._db, missing, viewer_id=viewer_id)
        return shown

    async def _order(self, viewer_id: int, first_id: int) -> list[int]:
        """Return the ids from `first_id` on, in their order."""
        photo_ids = [photo_id for photo_id in await self._ids(viewer_id) if photo_id >= first_id]
        if not photo_ids:
            return []
        photos = sorted(await home_photos.reactions(self._db, photo_ids, viewer_id=viewer_id), key=_score, reverse=True)
        return spread((photo.photo_id, photo.author_id) for photo in photos)

    async def _ids(self, viewer_id: int) -> Sequence[int]:
        """Return the ids of the viewer's log, which is built if there is none."""
        window = self._feeds.log.window
        for _ in range(_ATTEMPTS):
            # This pulls what stars have announced, as a page does.
            view = await self._feeds.log.read(viewer_id)
            if view is not None and not view.building:
                return [entry.id for entry in view.entries if not entry.removed][-window:]
            await self._feeds.ensure(viewer_id)
        # Another process may still be building the log. The viewer does not wait: PostgreSQL gives the ids.
        return await photo_lists.home_ids(self._db, viewer_id, before=None, limit=window)


def _score(photo: Reactions) -> tuple[float, int]:
    # Comments are counted and not commenters: the order follows the numbers that the viewer sees.
    reactions = photo.likes + 2 * photo.comments
    return hotness(photo.photo_id, reactions=reactions, followers=photo.followers), photo.photo_id


def _milliseconds(moment: datetime | None) -> int:
    return 0 if moment is None else (moment - _EPOCH) // timedelta(milliseconds=1)


def _moment(milliseconds: int) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
