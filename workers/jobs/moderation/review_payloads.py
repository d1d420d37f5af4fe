"""What a service that decides about photos gets of one: texts, hashes, facts about the author, and images to look at.

URLs of images, and the token for the verdict, are made at each attempt: a message that is sent again after a day has
valid ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from storage.blobs.variants import FEED, VariantRegistry
from storage.ids import encode
from storage.models import Photo, PhotoState
from storage.moderation import ModerationAction
from storage.postgres.database import Queryable
from storage.render.images import Sign, review_prefix
from storage.render.timestamps import timestamp_of
from storage.stores.accounts import users
from storage.stores.photos import media_hashes
from workers.webhooks.payloads import EventAuthor, ReviewMedia, ReviewPicture
from workers.webhooks.verdict_tokens import VerdictTokens

_WITH_IMAGES = {PhotoState.READY, PhotoState.HIDDEN}


class ReviewPayloads:
    """Builds the fields of a photo for such a service; URLs begin with `public_url`, `sign` signs those of images."""

    def __init__(
        self, db: Queryable, *, public_url: str, variants: VariantRegistry, sign: Sign, tokens: VerdictTokens
    ) -> None:
        self._db = db
        self._public_url = public_url
        self._variants = variants
        self._sign = sign
        self._tokens = tokens

    async def fields(self, photo: Photo, endpoint_id: int) -> Mapping[str, Any]:
        """Return the fields of a photo, beyond those that every receiver gets, and `author` with more."""
        author = await users.get(self._db, photo.author.id)
        hashes = {one.sha256: one.pdq for one in await media_hashes.of_photo(self._db, photo.id) if one.comparable}
        age = datetime.now(UTC) - author.created_at
        identifier = encode(photo.id)
        return {
            "author": EventAuthor(
                id=encode(author.id), username=author.username, account_age_days=age.days, photos=author.photos
            ),
            "caption": photo.caption,
            "alt_text": photo.alt_text,
            "tags": list(photo.tags),
            "location": photo.location,
            "sha256": photo.sha256,
            "pdq": hashes.get(photo.sha256),
            "held": photo.moderation is not None and photo.moderation.action is ModerationAction.HOLD,
            "media": self._media(photo, photo.sha256),
            **({"items": self._pictures(photo, hashes)} if photo.items else {}),
            "verdict_url": f"{self._public_url}/api/v1/moderation/{identifier}",
            "verdict_token": self._tokens.mint(photo.id, endpoint_id),
        }

    def _pictures(self, photo: Photo, hashes: Mapping[str, str]) -> list[ReviewPicture]:
        return [
            ReviewPicture(
                sha256=item.sha256,
                pdq=hashes.get(item.sha256),
                width=item.width,
                height=item.height,
                alt_text=item.alt_text,
                media=self._media(photo, item.sha256),
            )
            for item in photo.items
        ]

    def _media(self, photo: Photo, sha256: str) -> ReviewMedia | None:
        if photo.state not in _WITH_IMAGES:
            return None
        prefix = review_prefix(self._variants, sha256)
        query = self._sign(prefix)
        expires = parse_qs(query)["exp"][0]
        return ReviewMedia(
            url=f"{self._public_url}{prefix}{FEED}?{query}", expires_at=timestamp_of(int(expires) * 1000)
        )
