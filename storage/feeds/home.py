"""Pages of the home feed: one round trip to Redis if everything is cached, PostgreSQL for the rest.

A page is full as long as there are more photos; `next` is the id below which the next page begins. Scrolling from the
top to the end returns every photo once, by descending id: Redis has everything down to the log's lowest entry, and
PostgreSQL continues below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from storage.cache.cards import Cards
from storage.cache.counters import CounterCache, covers, liked_key
from storage.errors import UnavailableError
from storage.feeds.feeds import Feeds
from storage.feeds.home_page import HomePage
from storage.feeds.home_split import home_script
from storage.feeds.window_log import TIME_TO_LIVE
from storage.ids import pack_ids, unpack_ids
from storage.limits.quotas import Quota, QuotaPolicy, user_quota_key
from storage.limits.tickets import revoked_key
from storage.postgres.reads import Reads
from storage.redis.client import Redis
from storage.render.photo import LIKED, NOT_LIKED, PRIVATE, Render, counters_suffix, is_restricted, with_urls
from storage.stores.photos import photo_lists

_OK, _MISSING, _BUILDING, _REVOKED, _REFUSED = range(5)
_UNLIKED = ord("-")
_RETRIES = 2  # attempts to read a page from Redis again, before it is read from PostgreSQL
_PIECES = 3  # per photo: its card, its counters, and the viewer's like with a comma
_LIKED, _NOT_LIKED = LIKED + b",", NOT_LIKED + b","


@dataclass(kw_only=True, slots=True)
class _PartialPage:
    """The photos read so far, with a comma after each; PostgreSQL continues below the id `below`."""

    pieces: list[bytes] = field(default_factory=list)
    last: int | None = None
    more: bool = True
    below: int | None
    position: tuple[str, int] | None = None
    incomplete: bool = False

    @property
    def size(self) -> int:
        """The number of photos."""
        return len(self.pieces) // _PIECES

    def end(self) -> None:
        """Remove the comma after the last photo."""
        if self.pieces:
            self.pieces[-1] = self.pieces[-1][:-1]


class Home:
    """Reads pages of home feeds; raises `UnavailableError` if an engine does not answer."""

    def __init__(self, reads: Reads, redis: Redis, feeds: Feeds, cards: Cards, counter_cache: CounterCache) -> None:
        self._reads = reads
        self._redis = redis
        self._feeds = feeds
        self._cards = cards
        self._counter_cache = counter_cache
        self._script = home_script(redis)

    async def page(
        self,
        viewer_id: int,
        *,
        session: str,
        before: int | None,
        limit: int,
        policy: QuotaPolicy,
        cost: int = 1,
        render: Render = with_urls,
    ) -> HomePage:
        """Return up to `limit` photos below `before`, charging `cost` to `policy`; `render` writes their cards."""
        # All four keys have the viewer's slot group in their hash tag, so one script may use them on a cluster.
        keys = [
            self._feeds.log.key(viewer_id),
            liked_key(viewer_id),
            user_quota_key(policy, viewer_id),
            revoked_key(session, viewer_id),
        ]
        arguments = (b"" if before is None else pack_ids([before]), limit)
        bounds = (TIME_TO_LIVE, self._feeds.log.window, pack_ids([self._feeds.oldest_id()]))
        charge = (policy.limit, policy.window)
        reply = await self._script.run(self._redis, keys, (*arguments, *charge, cost, *bounds))
        quota = Quota.of(policy, reply[1]) if cost else None
        if reply[0] in (_REVOKED, _REFUSED):
            return HomePage(pieces=[], next=None, quota=quota, revoked=reply[0] == _REVOKED)
        page = await self._complete(viewer_id, reply, before, render)
        for _ in range(_RETRIES):
            if page is not None:
                break
            if reply[0] != _OK:
                await self._feeds.ensure(viewer_id)
            # A cost of 0 does not charge the quota again.
            reply = await self._script.run(self._redis, keys, (*arguments, *charge, 0, *bounds))
            page = await self._complete(viewer_id, reply, before, render)
        # Another process may still be building the feed. The viewer does not wait: PostgreSQL gives the page.
        page = page or _PartialPage(below=before)
        await self._continue_if_possible(viewer_id, page, limit=limit, render=render)
        page.end()
        below = page.last if page.more else None
        return HomePage(
            pieces=page.pieces,
            next=below,
            position=page.position,
            incomplete=page.incomplete,
            quota=quota,
            revoked=False,
        )

    async def _complete(
        self, viewer_id: int, reply: Sequence[Any], before: int | None, render: Render
    ) -> _PartialPage | None:
        """Return the page of a reply; None, to read again, without a log or if a photo is not to be shown."""
        if reply[0] != _OK:
            return None
        try:
            return await self._complete_page(viewer_id, reply, before, render)
        except UnavailableError as error:
            if error.engine != "database":
                raise
            return _without_database(reply, before, render)

    async def _complete_page(
        self, viewer_id: int, reply: Sequence[Any], before: int | None, render: Render
    ) -> _PartialPage | None:
        _, _, whole, more, lowest, packed, cards, counts, likes, epoch, top = reply
        last = int.from_bytes(packed[-8:], "big") if packed else None
        marker, *acts = likes
        # `last` is the oldest photo of the page: if the viewer's hash covers it, it covers all of them.
        if None in cards or None in counts or marker is None or (last and not covers(marker, last)):
            ids = unpack_ids(packed)
            if not await self._load(ids, cards, counts):
                return None
            liked = await self._counter_cache.likes_of(viewer_id, dict(zip(ids, acts, strict=True)), marker)
            acts = [b"+" if photo_id in liked else None for photo_id in ids]
        # Cards are bytes by now. Most pages have none with a mark, and need no more than this comparison.
        if PRIVATE in [card[0] for card in cards]:
            hidden = await self._cards.hidden_from(viewer_id, dict(zip(unpack_ids(packed), cards, strict=True)))
            if hidden:
                # The feed is to lose them, or was about to.
                await self._feeds.log.drop(viewer_id, list(hidden))
                return None
        pieces = _pieces(cards, counts, acts, render)
        return _PartialPage(
            pieces=pieces,
            last=last,
            more=bool(more or not whole),
            below=_lower(before, lowest),
            position=(str(epoch), top),
        )

    async def _load(self, ids: Sequence[int], cards: list[bytes | None], counts: list[bytes | None]) -> bool:
        """Fill in missing cards and counters from PostgreSQL; return False if one of the photos is deleted."""
        if missing := [photo_id for photo_id, card in zip(ids, cards, strict=True) if card is None]:
            loaded = await self._cards.load(missing)
            if len(loaded) < len(missing):
                return False
            cards[:] = [loaded.get(photo_id, card) for photo_id, card in zip(ids, cards, strict=True)]
        if missing := [photo_id for photo_id, count in zip(ids, counts, strict=True) if count is None]:
            found = await self._counter_cache.load_counts(missing)
            counts[:] = [found.get(photo_id, count) for photo_id, count in zip(ids, counts, strict=True)]
        return True

    async def _continue_if_possible(self, viewer_id: int, page: _PartialPage, *, limit: int, render: Render) -> None:
        """Complete a page from PostgreSQL; if it is away, a page that has photos ends with them."""
        try:
            await self._continue(viewer_id, page, limit=limit, render=render)
        except UnavailableError as error:
            # A part of the page is better than none, and the next page goes on behind it.
            if error.engine != "database" or not page.size:
                raise
            page.incomplete = True

    async def _continue(self, viewer_id: int, page: _PartialPage, *, limit: int, render: Render) -> None:
        """Complete a page from PostgreSQL."""
        while page.more and page.size < limit:
            wanted = limit - page.size
            # One more than wanted shows whether there is a next page. Deleted photos drop out below, hence the loop.
            read = partial(photo_lists.home_ids, viewer_id=viewer_id, before=page.below, limit=wanted + 1)
            found = await self._reads.read(viewer_id, read)
            page.more, ids = len(found) > wanted, found[:wanted]
            if not ids:
                return
            cards = await self._cards.get(ids)
            # A replica may not have the newest audience yet.
            for photo_id in await self._cards.hidden_from(viewer_id, cards):
                del cards[photo_id]
            counters = await self._counter_cache.read(list(cards), viewer_id)
            for photo_id in ids:
                if photo_id in cards:
                    likes, comments, liked = counters[photo_id]
                    card = render(cards[photo_id])
                    page.pieces += (card, counters_suffix(likes, comments), _LIKED if liked else _NOT_LIKED)
                    page.last = photo_id
            page.below = ids[-1]


def _without_database(reply: Sequence[Any], before: int | None, render: Render) -> _PartialPage:
    """Return what Redis has of a page while PostgreSQL is away.

    Photos without card or counters are left out, and those whose permission PostgreSQL has to confirm. Likes that Redis
    does not know are not shown.
    """
    _, _, whole, more, lowest, packed, cards, counts, likes, epoch, top = reply
    rows = [
        (photo_id, card, count, act)
        for photo_id, card, count, act in zip(unpack_ids(packed), cards, counts, likes[1:], strict=True)
        if card is not None and count is not None and not is_restricted(card)
    ]
    return _PartialPage(
        pieces=_pieces([row[1] for row in rows], [row[2] for row in rows], [row[3] for row in rows], render),
        last=rows[-1][0] if rows else None,
        more=bool(more or not whole),
        below=_lower(before, lowest),
        position=(str(epoch), top),
        incomplete=True,
    )


def _pieces(
    cards: Sequence[bytes], counts: Sequence[bytes], acts: Sequence[bytes | None], render: Render
) -> list[bytes]:
    """Return the pieces of the photos' JSON; the hottest loop of the service, therefore with few calls."""
    pieces: list[bytes] = []
    for card, count, act in zip(cards, counts, acts, strict=True):
        liked = act is not None and act[0] != _UNLIKED
        pieces += (
            render(card),
            count[count.rfind(b" ") + 1 :],
            _LIKED if liked else _NOT_LIKED,
        )
    return pieces


def _lower(before: int | None, lowest: bytes) -> int | None:
    """Return the id below which PostgreSQL continues: the log's lowest entry, or the cursor if that is lower."""
    if not lowest:
        return before
    bound = int.from_bytes(lowest, "big") & (1 << 63) - 1  # without the mark of a removed entry
    return bound if before is None else min(before, bound)
