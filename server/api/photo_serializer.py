"""Serialize photos for a viewer: JSON with the viewer's own likes and signed URLs."""

from __future__ import annotations

from collections.abc import Sequence

from server.media.urls import MediaUrls
from storage.blobs.variants import VariantRegistry
from storage.cache.counters import CounterCache
from storage.models import Photo
from storage.render.photo import owner_photo_json, photo_json, with_moderation


class PhotoSerializer:
    """Serialize photos that the viewer may see."""

    def __init__(self, counter_cache: CounterCache, variants: VariantRegistry, urls: MediaUrls) -> None:
        self._counter_cache = counter_cache
        self._variants = variants
        self._urls = urls

    async def serialize(self, photos: Sequence[Photo], viewer_id: int | None) -> list[bytes]:
        """Return the JSON of each photo; the viewer's own photos include the URL of the original."""
        liked: set[int] = set()
        if viewer_id is not None and photos:
            counters = await self._counter_cache.read([photo.id for photo in photos], viewer_id)
            liked = {photo_id for photo_id, (_, _, by_viewer) in counters.items() if by_viewer}
        return [self.serialize_one(photo, viewer_id, liked=photo.id in liked) for photo in photos]

    def serialize_one(self, photo: Photo, viewer_id: int | None, *, liked: bool) -> bytes:
        """Return the JSON of one photo that the viewer likes or not."""
        serialize = owner_photo_json if photo.author.id == viewer_id else photo_json
        return serialize(photo, self._variants, liked=liked, sign=self._urls.sign)

    def serialize_for_review(self, photo: Photo) -> bytes:
        """Return the JSON of a photo in any state for a moderator: with its images, whatever its audience."""
        return photo_json(photo, self._variants, liked=False, sign=self._urls.sign, review=True)

    def serialize_new(self, photo: Photo) -> bytes:
        """Return the JSON of a photo that was just created and cannot have likes."""
        json = photo_json(photo, self._variants, liked=False, sign=self._urls.sign)
        return with_moderation(json, photo.moderation)
