"""`actor.json` and `outbox.json` of an export in ActivityStreams 2.0, as tools for such archives read them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from html import escape
from typing import Any

import orjson

from storage.ids import encode
from storage.models import Photo, PhotoAudience, PhotoState, User
from storage.postgres.database import Queryable
from storage.render.timestamps import timestamp
from storage.stores.archives import export_contents
from storage.stores.photos.photo_items import pictures_of
from workers.exports.documents import picture_names

_CONTEXT = "https://www.w3.org/ns/activitystreams"
_PUBLIC = f"{_CONTEXT}#Public"
_KINDS = {"image": "Image", "video": "Video"}


async def actor(user: User, public_url: str) -> AsyncIterator[bytes]:
    """Yield `actor.json`; `public_url` is that of the service."""
    url = _actor_url(user, public_url)
    yield orjson.dumps(
        {
            "@context": _CONTEXT,
            "id": url,
            "type": "Person",
            "preferredUsername": user.username,
            "name": user.display_name,
            "summary": escape(user.bio),
            "url": url,
            "published": timestamp(user.created_at),
            "manuallyApprovesFollowers": user.private,
            "outbox": "outbox.json",
            "likes": "likes.json",
        },
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    )


async def outbox(db: Queryable, user: User, public_url: str) -> AsyncIterator[bytes]:
    """Yield `outbox.json`: one `Create` with a `Note` for each photo that is shown, newest first."""
    head = orjson.dumps({"@context": _CONTEXT, "id": "outbox.json", "type": "OrderedCollection"})
    yield head.removesuffix(b"}") + b',"orderedItems":['
    total = 0
    async for page in export_contents.photos(db, user.id):
        shown = [photo for photo in page if photo.state is PhotoState.READY]
        if shown:
            lines = b",\n".join(orjson.dumps(_create(photo, user, public_url)) for photo in shown)
            yield (b",\n" if total else b"\n") + lines
            total += len(shown)
    yield b'\n],"totalItems":%d}\n' % total


def _create(photo: Photo, user: User, public_url: str) -> dict[str, Any]:
    actor_url, url, published = _actor_url(user, public_url), f"{public_url}/p/{encode(photo.id)}", photo.created_at
    followers = f"{actor_url}/followers"
    to = {PhotoAudience.PUBLIC: [followers] if user.private else [_PUBLIC], PhotoAudience.FOLLOWERS: [followers]}
    addressed = {
        "to": to.get(photo.audience, []),
        "cc": [followers] if photo.public else [],
        "published": timestamp(published),
    }
    note = {
        "id": url,
        "type": "Note",
        "url": url,
        "attributedTo": actor_url,
        "content": f"<p>{escape(photo.caption)}</p>" if photo.caption else "",
        "updated": None if photo.edited_at is None else timestamp(photo.edited_at),
        **addressed,
        "attachment": [
            {
                "type": _KINDS.get(item.content_type.split("/")[0], "Document"),
                "mediaType": item.content_type,
                "url": name,
                "name": item.alt_text,
                "width": item.width,
                "height": item.height,
            }
            for name, item in zip(picture_names(photo), pictures_of(photo), strict=True)
        ],
        "tag": [{"type": "Hashtag", "name": f"#{tag}", "href": f"{public_url}/tag/{tag}"} for tag in photo.tags],
    }
    return {"id": f"{url}/activity", "type": "Create", "actor": actor_url, **addressed, "object": note}


def _actor_url(user: User, public_url: str) -> str:
    return f"{public_url}/u/{user.username}"
