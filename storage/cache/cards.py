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
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import orjson

from storage.ids import encode, pack_ids
from storage.models import Person, Photo, PhotoState
from storage.postgres.database import Queryable
from storage.redis.client import Redis, execute, redis_errors, values_of
from storage.redis.scripts import Script
from storage.stores import photos

Sign: TypeAlias = Callable[[str], str]

# Milliseconds
CARD_LIFE = 24 * 3600 * 1000
UNSHOWN_LIFE = 60_000  # after that a photo that was not shown is looked at again
CHANGE_LIFE = 5_000  # longer than a reader takes from PostgreSQL to Redis

DELETED = b"-"
UNSHOWN = b"~"
CHANGING = b"?"
PRIVATE = ord("!")
LIKED, NOT_LIKED = b"true}", b"false}"
_HASH_END = 1 + 64  # a mark, then a sha256 in hex
_VARIANTS = ("thumb", "feed")
_EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png"}


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

    async def refresh(self, photo_id: int) -> None:
        """Keep a photo's card as PostgreSQL has it now, for instance once the photo is ready."""
        photo = (await photos.load(self._db, [photo_id])).get(photo_id)
        await self._store([(photo_id, photo)], "refresh")

    async def tombstone(self, photo_id: int) -> None:
        """Say that a photo is deleted: no reader shows it from now on."""
        with redis_errors():
            await self._redis.set(card_key(photo_id), DELETED, px=CARD_LIFE)

    async def is_gone(self, photo_id: int) -> bool:
        """Say whether a photo's tombstone stands."""
        with redis_errors():
            return bool(await execute(self._redis, "GET", card_key(photo_id)) == DELETED)

    async def forget(self, ids: Iterable[int]) -> None:
        """Have cards made anew, after the change to the photo or its author was committed."""
        # A reader that had read before the change cannot store that while the mark stands.
        calls = [([card_key(photo_id)], (CHANGING, CHANGE_LIFE, "change")) for photo_id in ids]
        if calls:
            await self._put.run_many(self._redis, calls)

    async def _load(self, ids: Sequence[int]) -> dict[int, bytes]:
        found = await photos.load(self._db, ids)
        await self._store([(photo_id, found.get(photo_id)) for photo_id in ids], "load")
        return {photo_id: render(photo) for photo_id, photo in found.items() if photo.state is PhotoState.READY}

    async def _store(self, rows: Sequence[tuple[int, Photo | None]], mode: str) -> None:
        calls = []
        for photo_id, photo in rows:
            value, life = DELETED, CARD_LIFE
            if photo is not None:
                ready = photo.state is PhotoState.READY
                value, life = (render(photo), CARD_LIFE) if ready else (UNSHOWN, UNSHOWN_LIFE)
            calls.append(([card_key(photo_id)], (value, life, mode)))
        await self._put.run_many(self._redis, calls)

    def _forget_loading(self, ids: Iterable[int]) -> None:
        for photo_id in ids:
            self._loading.pop(photo_id, None)


def card_key(photo_id: int) -> bytes:
    """Return the Redis key of a card; the id is binary, because scripts make this key from the bytes of a log."""
    return b"card:" + pack_ids([photo_id])


def is_shown(card: bytes) -> bool:
    """Say whether a stored value is a card, and not one of the marks."""
    return len(card) > 1


def render(photo: Photo) -> bytes:
    """Return the card of a photo."""
    fields = _fields(photo)
    if photo.state is not PhotoState.READY:
        fields["urls"] = {}  # there are no variants to point to
    elif photo.author_private:
        return b"!" + photo.sha256.encode() + orjson.dumps(fields)[:-1]
    else:
        fields["urls"] = _urls(photo.sha256, None)
    return orjson.dumps(fields)[:-1]


def _fields(photo: Photo) -> dict[str, Any]:
    return {
        "id": encode(photo.id),
        "author": person_fields(photo.author),
        "caption": photo.caption,
        "alt_text": photo.alt_text,
        "tags": photo.tags,
        "location": photo.location,
        "created_at": timestamp(photo.created_at),
        "state": photo.state,
        "width": photo.width,
        "height": photo.height,
        "placeholder": photo.placeholder,
    }


def ending(likes: int, comments: int) -> bytes:
    """Return what follows a card, up to whether the viewer likes the photo."""
    return b',"likes":%d,"comments":%d,"liked":' % (likes, comments)


def opened(card: bytes, sign: Sign | None) -> bytes:
    """Return a card as it stands at the beginning of a photo's JSON.

    `sign` turns a private photo's path into one that answers for a while; without it that photo has no URLs.
    """
    if card[0] != PRIVATE:
        return card
    urls = {} if sign is None else _urls(card[1:_HASH_END].decode(), sign)
    return card[_HASH_END:] + b',"urls":' + orjson.dumps(urls)


def complete(card: bytes, *, likes: int, comments: int, liked: bool, sign: Sign | None) -> bytes:
    """Return a photo's JSON from its card and counters; `sign` as in `opened`."""
    return opened(card, sign) + ending(likes, comments) + (LIKED if liked else NOT_LIKED)


def photo_json(photo: Photo, *, liked: bool, sign: Sign | None = None) -> bytes:
    """Return the JSON of a photo as the API gives it, in any state, from its row."""
    return complete(render(photo), likes=photo.likes, comments=photo.comments, liked=liked, sign=sign)


def owner_photo_json(photo: Photo, *, liked: bool, sign: Sign) -> bytes:
    """Return the JSON of a photo as its author sees it: when it is ready, with the address of the original."""
    if photo.state is not PhotoState.READY:
        return photo_json(photo, liked=liked)
    urls = _urls(photo.sha256, sign if photo.author_private else None)
    urls["original"] = f"/media/{photo.sha256}/original.{_EXTENSIONS[photo.content_type]}"
    return (
        orjson.dumps(_fields(photo) | {"urls": urls})[:-1]
        + ending(photo.likes, photo.comments)
        + (LIKED if liked else NOT_LIKED)
    )


def person_fields(person: Person) -> dict[str, Any]:
    """Return the JSON shape of the person who stands beside a photo, a comment or a notification."""
    return {
        "id": encode(person.id),
        "username": person.username,
        "display_name": person.display_name,
        "avatar_url": None if person.avatar_sha256 is None else media_path(person.avatar_sha256, "thumb"),
    }


def media_path(sha256: str, variant: str) -> str:
    """Return the path of a variant; immutable, since the content names it."""
    return f"/media/{sha256}/{variant}.jpg"


def timestamp(moment: datetime) -> str:
    """Return a moment as RFC 3339 in UTC with milliseconds, as everywhere in the API."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def timestamp_of(milliseconds: int) -> str:
    """Return a moment in Unix milliseconds in the form of `timestamp`."""
    return timestamp(datetime.fromtimestamp(milliseconds / 1000, UTC))


def _urls(sha256: str, sign: Sign | None) -> dict[str, str]:
    paths = {variant: media_path(sha256, variant) for variant in _VARIANTS}
    return paths if sign is None else {variant: sign(path) for variant, path in paths.items()}
