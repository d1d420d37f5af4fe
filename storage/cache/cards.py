"""Photo cards: a photo's JSON, built once and kept in Redis for all viewers.

A card (`storage.render.photo`) is that JSON without its end: counters and the viewer's like are appended in each
response. The URLs in the card of a photo that not everyone may see are signed in each response.

`card:<id>` holds a card or one of these marks of a single byte:

    -   deleted: the photo must not reappear, whatever a slow reader has read before
    ~   not visible at present (processing, hidden, rejected)
    ?   being changed: read the photo from PostgreSQL, and store nothing until the mark is gone
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from storage.blobs.variants import VariantRegistry
from storage.ids import pack_ids
from storage.models import Photo, PhotoState
from storage.postgres.database import Queryable
from storage.redis.client import Redis, redis_errors, values_of
from storage.redis.scripts import Script
from storage.render.photo import is_restricted, photo_card
from storage.stores.photos import photo_lists, photos

# Times to live in milliseconds
CARD_TTL = 24 * 3600 * 1000
HIDDEN_TTL = 60_000  # after this the photo is read from PostgreSQL again
CHANGING_TTL = 5_000  # longer than any reader takes between reading PostgreSQL and writing Redis

DELETED = b"-"
HIDDEN = b"~"
CHANGING = b"?"


class Cards:
    """The cards in Redis; a missing one is loaded from PostgreSQL, once for concurrent callers of this process.

    Raises `UnavailableError` if an engine does not answer.
    """

    def __init__(self, db: Queryable, redis: Redis, variants: VariantRegistry | None = None) -> None:
        self._db = db
        self._redis = redis
        self._variants = variants or VariantRegistry()
        self._put = Script("cache/card")
        self._loading: dict[int, asyncio.Task[dict[int, bytes]]] = {}

    def render(self, photo: Photo) -> bytes:
        """Return the card of a ready photo, without storing it."""
        return photo_card(photo, self._variants)

    async def get(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Return the cards of the visible photos among these."""
        if not ids:
            return {}
        with redis_errors():
            values = await values_of(self._redis, [card_key(photo_id) for photo_id in ids])
        found = dict(zip(ids, values, strict=True))
        missing = [photo_id for photo_id, value in found.items() if value is None or value == CHANGING]
        if missing:
            found |= dict.fromkeys(missing, None)
            found |= await self.load(missing)
        return {photo_id: card for photo_id, card in found.items() if card is not None and is_visible(card)}

    async def hidden_from(self, viewer_id: int, cards: Mapping[int, bytes]) -> set[int]:
        """Return which of these photos, by their cards, the viewer may not see.

        The viewer's feed has, or had, all of them; so only photos that not even all followers may see are looked up.
        """
        restricted = [photo_id for photo_id, card in cards.items() if is_restricted(card)]
        if not restricted:
            return set()
        return set(restricted) - await photo_lists.shown_among(self._db, restricted, viewer_id=viewer_id)

    async def load(self, ids: Iterable[int]) -> dict[int, bytes]:
        """Load cards from PostgreSQL, store them, and return those of visible photos; the others are marked."""
        wanted = set(ids)
        if fresh := [photo_id for photo_id in wanted if photo_id not in self._loading]:
            task = asyncio.create_task(self._load(fresh))
            self._loading |= dict.fromkeys(fresh, task)
            task.add_done_callback(lambda _: self._loaded(fresh))
        loaded: dict[int, bytes] = {}
        for task in {self._loading[photo_id] for photo_id in wanted}:
            # Shielded, because the task is shared: a cancelled caller must not cancel it for the others.
            loaded |= await asyncio.shield(task)
        return {photo_id: card for photo_id, card in loaded.items() if photo_id in wanted}

    async def refresh(self, photo_id: int) -> tuple[Photo, bytes] | None:
        """Load a photo from PostgreSQL and store its card; return both, or None if the photo is not visible."""
        photo = (await photos.load(self._db, [photo_id])).get(photo_id)
        card = (await self._store([(photo_id, photo)], "refresh")).get(photo_id)
        return None if photo is None or card is None else (photo, card)

    async def tombstone(self, *ids: int) -> None:
        """Mark photos as deleted; no reader returns them from now on."""
        with redis_errors():
            # The commands leave together and wait for one round trip.
            await asyncio.gather(
                *(self._redis.execute_command("SET", card_key(photo_id), DELETED, "PX", CARD_TTL) for photo_id in ids)
            )

    async def revive(self, ids: Iterable[int]) -> None:
        """Let photos be shown again that are marked as deleted, if the database still has them."""
        with redis_errors():
            await asyncio.gather(
                *(
                    self._redis.execute_command("SET", card_key(photo_id), CHANGING, "PX", CHANGING_TTL)
                    for photo_id in ids
                )
            )

    async def is_withdrawn(self, photo_id: int) -> bool:
        """Return whether a photo is marked as deleted or not visible."""
        with redis_errors():
            return await self._redis.execute_command("GET", card_key(photo_id)) in {DELETED, HIDDEN}

    async def invalidate(self, ids: Iterable[int]) -> None:
        """Invalidate cards, after a change to the photos or their author was committed."""
        # While the mark exists, a reader that read PostgreSQL before the change cannot store its card.
        calls = [([card_key(photo_id)], (CHANGING, CHANGING_TTL, "change", CHANGING_TTL)) for photo_id in ids]
        if calls:
            await self._put.run_many(self._redis, calls)

    async def _load(self, ids: Sequence[int]) -> dict[int, bytes]:
        found = await photos.load(self._db, ids)
        return await self._store([(photo_id, found.get(photo_id)) for photo_id in ids], "load")

    async def _store(self, rows: Sequence[tuple[int, Photo | None]], mode: str) -> dict[int, bytes]:
        """Store a card or a mark for each photo; return the cards."""
        cards = {
            photo_id: self.render(photo)
            for photo_id, photo in rows
            if photo is not None and photo.state is PhotoState.READY
        }
        calls = []
        for photo_id, photo in rows:
            if photo_id in cards:
                value, ttl = cards[photo_id], CARD_TTL
            else:
                value, ttl = (DELETED, CARD_TTL) if photo is None else (HIDDEN, HIDDEN_TTL)
            calls.append(([card_key(photo_id)], (value, ttl, mode, CHANGING_TTL)))
        await self._put.run_many(self._redis, calls)
        return cards

    def _loaded(self, ids: Iterable[int]) -> None:
        for photo_id in ids:
            self._loading.pop(photo_id, None)


def card_key(photo_id: int) -> bytes:
    """Return the Redis key of a card; the id is binary, because scripts build the key from the bytes of a log."""
    return b"card:" + pack_ids([photo_id])


def is_visible(card: bytes) -> bool:
    """Return whether a stored value is a card and not one of the marks."""
    return len(card) > 1
