"""Render photos, comments and notifications for a viewer, with the accounts that they name.

A page takes one statement for all its accounts, and one for what the viewer has saved.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson

from server.api.photo_serializer import PhotoSerializer
from server.mastodon.accounts import Entity, account
from server.mastodon.statuses import comment_status, mentioned_in, photo_status
from server.mastodon.texts import Links
from storage.ids import decode
from storage.models import Comment, Photo, PhotoState
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.stores import account_lists
from storage.stores.photos import photos
from storage.stores.saved import collection_items


class Renderer:
    """Renders what the viewer may see; None is a visitor."""

    def __init__(self, reads: Reads, serializer: PhotoSerializer, links: Links) -> None:
        self._reads = reads
        self._serializer = serializer
        self.links = links

    async def photos(self, photos: Sequence[Photo], viewer_id: int | None) -> list[Entity]:
        """Return photos as statuses, in their order."""
        return await self.documents(await self._serializer.serialize(photos, viewer_id), viewer_id)

    async def photo(self, photo: Photo, viewer_id: int | None, *, liked: bool) -> Entity:
        """Return one photo as a status."""
        json = self._serializer.serialize_one(photo, viewer_id, liked=liked)
        return (await self.documents([json], viewer_id))[0]

    async def stored(self, photo_id: int) -> dict[str, Any] | None:
        """Return the JSON of a photo, parsed, whatever its audience; None if it was deleted or is not ready."""
        photo = (await self._reads.read(None, lambda db: photos.load(db, [photo_id]))).get(photo_id)
        if photo is None or photo.state is not PhotoState.READY:
            return None
        found: dict[str, Any] = orjson.loads(self._serializer.serialize_one(photo, None, liked=False))
        return found

    async def documents(self, documents: Sequence[bytes], viewer_id: int | None) -> list[Entity]:
        """Return the JSON of photos as statuses, in its order."""
        return await self.parsed([orjson.loads(document) for document in documents], viewer_id)

    async def parsed(self, found: Sequence[Mapping[str, Any]], viewer_id: int | None) -> list[Entity]:
        """Return photos, whose JSON was parsed, as statuses, in their order."""
        named = {decode(photo["author"]["id"]) for photo in found}
        named |= {user_id for photo in found for user_id in mentioned_in(photo["caption_entities"])}
        photo_ids = [decode(photo["id"]) for photo in found]

        async def read(db: Queryable) -> tuple[Mapping[int, Entity], set[int]]:
            accounts = await self._accounts(db, named, viewer_id)
            if viewer_id is None or not photo_ids:
                return accounts, set()
            return accounts, await collection_items.saved_among(db, photo_ids, owner_id=viewer_id)

        accounts, saved = await self._reads.read(viewer_id, read)
        return [
            photo_status(photo, accounts, self.links, bookmarked=photo_id in saved)
            for photo, photo_id in zip(found, photo_ids, strict=True)
        ]

    async def comments(
        self, comments: Sequence[Comment], photos: Mapping[int, Photo], viewer_id: int | None
    ) -> list[Entity]:
        """Return comments as statuses, in their order; `photos` has the photo of each by its id."""
        named = {comment.author.id for comment in comments} | {photo.author.id for photo in photos.values()}
        named |= {mention.user_id for comment in comments for mention in comment.mentions}
        accounts = await self.accounts(named, viewer_id)
        return [comment_status(each, photos[each.photo_id], accounts, self.links) for each in comments]

    async def accounts(self, user_ids: Collection[int], viewer_id: int | None) -> Mapping[int, Entity]:
        """Return the accounts that a list may show to the viewer, by id."""
        return await self._reads.read(viewer_id, lambda db: self._accounts(db, user_ids, viewer_id))

    async def accounts_in_order(self, user_ids: Iterable[int], viewer_id: int | None) -> list[Entity]:
        """Return the accounts that a list may show to the viewer, in this order."""
        wanted = list(user_ids)
        found = await self.accounts(wanted, viewer_id)
        return [found[user_id] for user_id in wanted if user_id in found]

    async def _accounts(self, db: Queryable, user_ids: Collection[int], viewer_id: int | None) -> Mapping[int, Entity]:
        shown = await account_lists.shown(db, user_ids, viewer_id=viewer_id)
        return {user_id: account(user, self.links) for user_id, user in shown.items()}
