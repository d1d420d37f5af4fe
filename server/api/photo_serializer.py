"""Photos as a viewer sees them: from rows to JSON, with the viewer's own likes and signed URLs."""

from __future__ import annotations

from collections.abc import Sequence

from server.media.urls import MediaUrls
from storage.cache.counters import CounterCache
from storage.models import Photo
from storage.render.photo import owner_photo_json, photo_json


class PhotoSerializer:
    """Render photos."""

    def __init__(self, engagement: CounterCache, urls: MediaUrls) -> None:
        self._engagement = engagement
        self._urls = urls

    async def render(self, photos: Sequence[Photo], viewer_id: int | None) -> list[bytes]:
        """Return the JSON of photos that the viewer may see; of their own, with the address of the original."""
        liked: set[int] = set()
        if viewer_id is not None and photos:
            engaged = await self._engagement.read([photo.id for photo in photos], viewer_id)
            liked = {photo_id for photo_id, (_, _, by_viewer) in engaged.items() if by_viewer}
        return [self._render(photo, viewer_id, liked=photo.id in liked) for photo in photos]

    async def render_one(self, photo: Photo, viewer_id: int | None) -> bytes:
        """Return the JSON of one photo."""
        return (await self.render([photo], viewer_id))[0]

    def render_new(self, photo: Photo) -> bytes:
        """Return the JSON of a photo that nobody can have liked yet."""
        return photo_json(photo, liked=False, sign=self._urls.sign)

    def _render(self, photo: Photo, viewer_id: int | None, *, liked: bool) -> bytes:
        render = owner_photo_json if photo.author.id == viewer_id else photo_json
        return render(photo, liked=liked, sign=self._urls.sign)
