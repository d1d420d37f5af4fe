"""Photo cards: a photo's JSON, made once and kept in Redis for everybody who sees it in a feed.

This is the one place where the JSON shape of a photo is made. A card is that JSON without its end: the
counters and the viewer's own like follow when it is completed. The card of a private author's photo has a
mark and the content's hash in front instead of URLs, since those are signed for each answer.

What stands at `card:<id>` besides cards, each a single byte:

    -   deleted: the photo must not come back, whatever a slow reader had read before
    ~   not shown at present (processing, hidden, rejected)
    ?   being changed: read it from PostgreSQL, and keep nothing until the mark is gone
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from storage.ids import pack_ids
from storage.models import Photo, PhotoState
from storage.postgres.database import Queryable
from storage.redis.client import Redis, redis_errors, values_of
from storage.redis.scripts import Script
from storage.render.photo import photo_card
from storage.stores import photos

# Milliseconds
CARD_LIFE = 24 * 3600 * 1000
UNSHOWN_LIFE = 60_000  # after that a photo that was not shown is looked at again
CHANGE_LIFE = 5_000  # longer than a reader takes from PostgreSQL to Redis

DELETED = b"-"
UNSHOWN = b"~"
CHANGING = b"?"


class Cards:
    """Keep cards in Redis, loaded from PostgreSQL when missing, once for all who ask in this process.

    Raises `UnavailableError` when either does not answer.
    """

    def __init__(self, db: Queryable, redis: Redis) -> None:
        self._db = db
        self._redis = redis
        self._put = Script("cache/card")
        self._loading: dict[int, asyncio.Task[dict[int, bytes]]] = {}

    async def get(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Return the cards of those photos that may be shown; the others are left out."""
        if not ids:
            return {}
        with redis_errors():
            values = await values_of(self._redis, [card_key(photo_id) for photo_id in ids])
        found = dict(zip(ids, values, strict=True))
        missing = [photo_id for photo_id, value in found.items() if value is None or value == CHANGING]
        if missing:
            found |= dict.fromkeys(missing, None)
            found |= await self.load(missing)
        return {photo_id: card for photo_id, card in found.items() if card is not None and is_shown(card)}

    async def load(self, ids: Iterable[int]) -> dict[int, bytes]:
        """Return cards from PostgreSQL and keep them; photos that may not be shown are left out, and marked."""
        wanted = set(ids)
        if fresh := [photo_id for photo_id in wanted if photo_id not in self._loading]:
            task = asyncio.create_task(self._load(fresh))
            self._loading |= dict.fromkeys(fresh, task)
            task.add_done_callback(lambda _: self._forget_loading(fresh))
        loaded: dict[int, bytes] = {}
        for task in {self._loading[photo_id] for photo_id in wanted}:
            # Shielded: one caller who gives up must not take the answer from the others.
            loaded |= await asyncio.shield(task)
        return {photo_id: card for photo_id, card in loaded.items() if photo_id in wanted}

    async def refresh(self, photo_id: int) -> tuple[Photo, bytes] | None:
        """Store a photo's card as PostgreSQL has it now; return the photo and the card, None if it is not shown."""
        photo = (await photos.load(self._db, [photo_id])).get(photo_id)
        card = (await self._store([(photo_id, photo)], "refresh")).get(photo_id)
        return None if photo is None or card is None else (photo, card)

    async def tombstone(self, photo_id: int) -> None:
        """Say that a photo is deleted: no reader shows it from now on."""
        with redis_errors():
            await self._redis.execute_command("SET", card_key(photo_id), DELETED, "PX", CARD_LIFE)

    async def is_gone(self, photo_id: int) -> bool:
        """Say whether a photo's tombstone stands."""
        with redis_errors():
            return bool(await self._redis.execute_command("GET", card_key(photo_id)) == DELETED)

    async def forget(self, ids: Iterable[int]) -> None:
        """Have cards made anew, after the change to the photo or its author was committed."""
        # A reader that had read before the change cannot store that while the mark stands.
        calls = [([card_key(photo_id)], (CHANGING, CHANGE_LIFE, "change")) for photo_id in ids]
        if calls:
            await self._put.run_many(self._redis, calls)

    async def _load(self, ids: Sequence[int]) -> dict[int, bytes]:
        found = await photos.load(self._db, ids)
        return await self._store([(photo_id, found.get(photo_id)) for photo_id in ids], "load")

    async def _store(self, rows: Sequence[tuple[int, Photo | None]], mode: str) -> dict[int, bytes]:
        """Store a card or a mark for each photo; return the cards."""
        cards = {
            photo_id: photo_card(photo)
            for photo_id, photo in rows
            if photo is not None and photo.state is PhotoState.READY
        }
        calls = []
        for photo_id, photo in rows:
            if photo_id in cards:
                value, life = cards[photo_id], CARD_LIFE
            else:
                value, life = (DELETED, CARD_LIFE) if photo is None else (UNSHOWN, UNSHOWN_LIFE)
            calls.append(([card_key(photo_id)], (value, life, mode)))
        await self._put.run_many(self._redis, calls)
        return cards

    def _forget_loading(self, ids: Iterable[int]) -> None:
        for photo_id in ids:
            self._loading.pop(photo_id, None)


def card_key(photo_id: int) -> bytes:
    """Return the Redis key of a card; the id is binary, because scripts make this key from the bytes of a log."""
    return b"card:" + pack_ids([photo_id])


def is_shown(card: bytes) -> bool:
    """Say whether a stored value is a card, and not one of the marks."""
    return len(card) > 1
