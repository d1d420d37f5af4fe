"""Read the previews of links to photos and profiles: what a visitor without an account may see of them."""

from __future__ import annotations

from typing import Any

import orjson

from locales.catalogues import translate
from locales.sentences import counted_sentence, sentence
from server.api.photo_serializer import PhotoSerializer
from server.previews.link_preview import LinkPreview, PreviewImage
from storage.errors import NotFoundError
from storage.ids import decode, encode
from storage.models import Photo, User
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.render.user_summary import avatar_url
from storage.stores.accounts import users
from storage.stores.notifications.notification_text import excerpt_of
from storage.stores.photos import photos

OEMBED_PATH = "/oembed"


class LinkPreviews:
    """Previews of `/p/{id}` and `/u/{username}` in a language; there is none of what a visitor may not see."""

    def __init__(self, reads: Reads, serializer: PhotoSerializer, public_url: str) -> None:
        self._reads = reads
        self._serializer = serializer
        self._public_url = public_url.rstrip("/")

    async def photo(self, photo_id: str, language: str) -> LinkPreview:
        """Return the preview of a photo; raise `NotFoundError` if visitors may not see it."""
        try:
            number = decode(photo_id)
        except ValueError as error:
            raise NotFoundError("photo") from error

        async def read(db: Queryable) -> tuple[Photo, User]:
            photo, _ = await photos.get_with_like(db, number, viewer_id=None)
            return photo, await users.get(db, photo.author.id)

        photo, author = await self._reads.read(None, read)
        return self._of_photo(photo, author, language)

    async def profile(self, username: str, language: str) -> LinkPreview:
        """Return the preview of a public account; raise `NotFoundError` for any other."""
        user = await self._reads.read(None, lambda db: users.find(db, username))
        if user.private:
            raise NotFoundError("user")
        picture = avatar_url(user)
        name = _name(user)
        return LinkPreview(
            kind="profile",
            url=self._absolute(f"/u/{user.username}"),
            title=f"{name} (@{user.username})" if name != user.username else f"@{user.username}",
            description=excerpt_of(user.bio) or _numbers(user, language),
            author=name,
            author_url=self._absolute(f"/u/{user.username}"),
            images=(
                PreviewImage(
                    url=self._absolute(picture), alt=translate(sentence("Avatar of {name}", name=name), language)
                ),
            )
            if picture
            else (),
            indexed=user.searchable,
            oembed_url=self._absolute(OEMBED_PATH),
        )

    def _of_photo(self, photo: Photo, author: User, language: str) -> LinkPreview:
        # The JSON that visitors get has the URLs of images that they may see.
        fields: dict[str, Any] = orjson.loads(self._serializer.serialize_one(photo, None, liked=False))
        name = _name(author)
        caption = excerpt_of(photo.caption)
        unnamed = translate(sentence("Photo by {name}", name=name), language)
        return LinkPreview(
            kind="article",
            url=self._absolute(f"/p/{encode(photo.id)}"),
            title=f"{name}: {caption}" if caption else unnamed,
            description=caption or excerpt_of(photo.alt_text) or unnamed,
            author=name,
            author_url=self._absolute(f"/u/{author.username}"),
            # A sensitive photo is blurred until its viewer wants to see it, and a preview cannot ask.
            images=() if photo.sensitive else self._images(fields, photo.alt_text or unnamed),
            indexed=author.searchable and not photo.sensitive,
            video_url=None if photo.sensitive else self._video(fields),
            oembed_url=self._absolute(OEMBED_PATH),
        )

    def _images(self, fields: dict[str, Any], alt: str) -> tuple[PreviewImage, ...]:
        sizes = sorted(fields["images"]["sizes"], key=lambda size: size["width"], reverse=True)
        # Larger ones than the image of a feed are only made when a viewer needs them.
        largest = next((size["width"] for size in sizes if size["jpg"] == fields["urls"].get("feed")), 0)
        return tuple(
            PreviewImage(url=self._absolute(size["jpg"]), width=size["width"], height=size["height"], alt=alt)
            for size in sizes
            if size["width"] <= largest
        )

    def _video(self, fields: dict[str, Any]) -> str | None:
        return self._absolute(fields["video"]["url"]) if fields.get("video") else None

    def _absolute(self, path: str) -> str:
        return self._public_url + path


def _name(user: User) -> str:
    return user.display_name or user.username


def _numbers(user: User, language: str) -> str:
    """Return how many photos and followers an account has."""
    counted = (
        counted_sentence("{count} photo", "{count} photos", user.photos),
        counted_sentence("{count} follower", "{count} followers", user.followers),
    )
    return " · ".join(translate(each, language) for each in counted)
