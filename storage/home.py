"""The home feed's page: one round trip to Redis when warm, PostgreSQL below the window and where something is missing.

A page is full while there is more to show; `next` is the id to go on below. Scrolling from the top to the end
gives every photo once, in the order of ids: Redis holds everything down to its lowest entry, and PostgreSQL
continues below that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from storage import photo_lists
from storage.cards import LIKED, NOT_LIKED, PRIVATE, Cards, Sign, complete, finish
from storage.database import Queryable
from storage.engagement import Engagement, counters_json, covers, liked_key
from storage.feeds import Feeds
from storage.home_split import home_script
from storage.log_format import pack_ids, unpack_ids
from storage.quotas import Quota, QuotaPolicy, user_quota_key
from storage.redis_client import Redis
from storage.tickets import revoked_key
from storage.window_log import TIME_TO_LIVE

_OK, _MISSING, _BUILDING, _REVOKED, _REFUSED = range(5)
_TAKEN_BACK = ord("-")
_RETRIES = 2  # to get a page out of Redis, before PostgreSQL gives it


@dataclass(frozen=True, kw_only=True, slots=True)
class HomePage:
    """A page: complete photo JSON, the id to go on below (None at the end), and what the gate said.

    `items` is empty when the quota does not allow the request, or when the session was revoked, which charges nothing.
    """

    items: list[bytes]
    next: int | None
    quota: Quota
    revoked: bool


@dataclass(kw_only=True, slots=True)
class _Gathered:
    """What a page has so far; `below` is where PostgreSQL would continue."""

    items: list[bytes] = field(default_factory=list)
    last: int | None = None
    more: bool = True
    below: int | None


class Home:
    """Read home feeds; raises `UnavailableError` when an engine does not answer."""

    def __init__(self, db: Queryable, redis: Redis, feeds: Feeds, cards: Cards, engagement: Engagement) -> None:
        self._db = db
        self._redis = redis
        self._feeds = feeds
        self._cards = cards
        self._engagement = engagement
        self._script = home_script(redis)

    async def page(
        self,
        viewer_id: int,
        *,
        session: str,
        before: int | None,
        limit: int,
        policy: QuotaPolicy,
        sign: Sign | None = None,
    ) -> HomePage:
        """Return up to `limit` photos below `before`, charging `policy` once; `sign` as in `cards.complete`."""
        keys = [
            self._feeds.log.key(viewer_id),
            liked_key(viewer_id),
            user_quota_key(policy, viewer_id),
            revoked_key(session, viewer_id),
        ]
        arguments = (b"" if before is None else pack_ids([before]), limit)
        answer = await self._script.run(self._redis, keys, (*arguments, policy.limit, policy.window, TIME_TO_LIVE))
        quota = Quota.of(policy, answer[1])
        if answer[0] in (_REVOKED, _REFUSED):
            return HomePage(items=[], next=None, quota=quota, revoked=answer[0] == _REVOKED)
        page = await self._complete(viewer_id, answer, before, sign)
        for _ in range(_RETRIES):
            if page is not None:
                break
            if answer[0] != _OK:
                await self._feeds.ensure(viewer_id)
            answer = await self._script.run(self._redis, keys, (*arguments, 0, 0, TIME_TO_LIVE))
            page = await self._complete(viewer_id, answer, before, sign)
        page = page or _Gathered(below=before)
        if page.more and len(page.items) < limit:
            await self._continue(viewer_id, page, limit=limit, sign=sign)
        return HomePage(items=page.items, next=page.last if page.more else None, quota=quota, revoked=False)

    async def _complete(
        self, viewer_id: int, answer: Sequence[Any], before: int | None, sign: Sign | None
    ) -> _Gathered | None:
        """Return the page of an answer; None when there is no log, or a card turned out to be gone: ask again."""
        if answer[0] != _OK:
            return None
        _, _, whole, more, lowest, packed, cards, counts, likes = answer
        last = int.from_bytes(packed[-8:], "big") if packed else None
        marker, *acts = likes
        if None in cards or None in counts or marker is None or (last and not covers(marker, last)):
            ids = unpack_ids(packed)
            if not await self._load(ids, cards, counts):
                return None
            liked = await self._engagement.likes_of(viewer_id, dict(zip(ids, acts, strict=True)), marker)
            acts = [b"+" if photo_id in liked else None for photo_id in ids]
        items = [_item(*parts, sign) for parts in zip(cards, counts, acts, strict=True)]
        return _Gathered(items=items, last=last, more=bool(more or not whole), below=_lower(before, lowest))

    async def _load(self, ids: Sequence[int], cards: list[bytes | None], counts: list[bytes | None]) -> bool:
        """Put what is missing in its place; False when a photo turned out to be gone."""
        if missing := [photo_id for photo_id, card in zip(ids, cards, strict=True) if card is None]:
            loaded = await self._cards.load(missing)
            if len(loaded) < len(missing):
                return False
            cards[:] = [loaded.get(photo_id, card) for photo_id, card in zip(ids, cards, strict=True)]
        if missing := [photo_id for photo_id, count in zip(ids, counts, strict=True) if count is None]:
            found = await self._engagement.load_counts(missing)
            counts[:] = [found.get(photo_id, count) for photo_id, count in zip(ids, counts, strict=True)]
        return True

    async def _continue(self, viewer_id: int, page: _Gathered, *, limit: int, sign: Sign | None) -> None:
        """Fill a page up from PostgreSQL."""
        while page.more and len(page.items) < limit:
            wanted = limit - len(page.items)
            found = await photo_lists.home_ids(self._db, viewer_id, before=page.below, limit=wanted + 1)
            page.more, ids = len(found) > wanted, found[:wanted]
            if not ids:
                return
            cards = await self._cards.get(ids)
            engaged = await self._engagement.read(list(cards), viewer_id)
            for photo_id in ids:
                if photo_id in cards:
                    likes, comments, liked = engaged[photo_id]
                    card = cards[photo_id]
                    page.items.append(complete(card, likes=likes, comments=comments, liked=liked, sign=sign))
                    page.last = photo_id
            page.below = ids[-1]


def _item(card: bytes, count: bytes, act: bytes | None, sign: Sign | None) -> bytes:
    """Return a photo's JSON; a function that is called so often does all in one piece where it can."""
    liked = act is not None and act[0] != _TAKEN_BACK
    if card[0] == PRIVATE:
        return finish(card, counters_json(count), liked=liked, sign=sign)
    return card + count[count.rfind(b" ") + 1 :] + (LIKED if liked else NOT_LIKED)


def _lower(before: int | None, lowest: bytes) -> int | None:
    """Return where PostgreSQL continues: below the log's lowest entry, or below the cursor if that is lower."""
    if not lowest:
        return before
    bound = int.from_bytes(lowest, "big") & (1 << 63) - 1
    return bound if before is None else min(before, bound)
