"""The JSON and CSV files of an export, as chunks of bytes: one for each page that is read from the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

import orjson

from storage.blobs.content_types import EXTENSIONS
from storage.ids import encode
from storage.models import Photo, User
from storage.postgres.database import Queryable
from storage.postgres.rows import Row
from storage.render.moderation import moderation_fields
from storage.render.notification import notification_fields
from storage.render.photo import description_fields
from storage.render.reports import decision_fields, report_fields
from storage.render.timestamps import timestamp
from storage.stores.archives import export_contents, imports
from storage.stores.photos.photo_items import pictures_of
from storage.stores.social import list_members, lists, tag_follows
from storage.stores.webhooks import webhook_endpoints
from workers.exports.chunks import csv_rows, json_array

_ALL_LISTS = lists.MAX


def picture_names(photo: Photo) -> list[str]:
    """Return the names of a photo's originals in the archive, in the order of its pictures."""
    identifier = encode(photo.id)
    return [
        f"photos/{identifier}{'' if place == 1 else f'_{place}'}.{extension(picture.content_type)}"
        for place, picture in enumerate(pictures_of(photo), 1)
    ]


def extension(content_type: str) -> str:
    """Return the extension of a file of a type."""
    return EXTENSIONS.get(content_type, "bin")


async def profile(db: Queryable, user: User) -> AsyncIterator[bytes]:
    """Yield `profile.json`."""
    fields = {
        "id": encode(user.id),
        "username": user.username,
        "display_name": user.display_name,
        "bio": user.bio,
        "email": user.email,
        "role": user.role,
        "private": user.private,
        "presence": user.presence,
        "location_metadata": user.location_metadata,
        "publish_rights": user.publish_rights,
        "language": user.language,
        "searchable": user.searchable,
        "settings": user.settings,
        "followers": user.followers,
        "following": user.following,
        "photos": user.photos,
        "followed_tags": await tag_follows.followed(db, user.id),
        "created_at": timestamp(user.created_at),
    }
    yield orjson.dumps(fields, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


async def photos(db: Queryable, user: User) -> AsyncIterator[bytes]:
    """Yield `photos.json`."""

    async def pages() -> AsyncIterator[Iterable[Any]]:
        async for page in export_contents.photos(db, user.id):
            exif = await export_contents.exif(db, user.id, [photo.id for photo in page])
            yield [_photo_fields(photo, exif) for photo in page]

    async for chunk in json_array(pages()):
        yield chunk


async def comments(db: Queryable, user: User) -> AsyncIterator[bytes]:
    """Yield `comments.json`."""

    async def pages() -> AsyncIterator[Iterable[Any]]:
        async for page in export_contents.comments(db, user.id):
            yield [_comment_fields(row) for row in page]

    async for chunk in json_array(pages()):
        yield chunk


async def likes(db: Queryable, user: User) -> AsyncIterator[bytes]:
    """Yield `likes.json`: first likes of photos, then those of comments."""

    async def pages() -> AsyncIterator[Iterable[Any]]:
        async for page in export_contents.likes(db, user.id):
            yield [{"photo_id": encode(row["photo_id"]), "created_at": timestamp(row["created_at"])} for row in page]
        async for page in export_contents.comment_likes(db, user.id):
            yield [
                {"comment_id": encode(row["comment_id"]), "created_at": timestamp(row["created_at"])} for row in page
            ]

    async for chunk in json_array(pages()):
        yield chunk


async def notifications(db: Queryable, user: User) -> AsyncIterator[bytes]:
    """Yield `notifications.json`."""

    async def pages() -> AsyncIterator[Iterable[Any]]:
        async for page in export_contents.inbox(db, user.id):
            yield [notification_fields(entry) for entry in page]

    async for chunk in json_array(pages()):
        yield chunk


async def account_lists(db: Queryable, user: User) -> AsyncIterator[bytes]:
    """Yield `lists.json`."""

    async def pages() -> AsyncIterator[Iterable[Any]]:
        for found in await lists.page(db, user.id, before=None, limit=_ALL_LISTS):
            members = await list_members.ids(db, found.id, owner_id=user.id)
            yield [
                {
                    "id": encode(found.id),
                    "title": found.title,
                    "accounts": [encode(account_id) for account_id in members],
                    "created_at": timestamp(found.created_at),
                }
            ]

    async for chunk in json_array(pages()):
        yield chunk


async def collections(db: Queryable, user: User) -> AsyncIterator[bytes]:
    """Yield `collections.json`, with the saved photos, whose title is empty."""

    async def pages() -> AsyncIterator[Iterable[Any]]:
        for row in await export_contents.collections(db, user.id):
            photo_ids = await export_contents.collection_photos(db, row["id"])
            yield [
                {
                    "id": encode(row["id"]),
                    "title": row["title"],
                    "public": row["public"],
                    "saved": row["saved"],
                    "photos": [encode(photo_id) for photo_id in photo_ids],
                    "created_at": timestamp(row["created_at"]),
                }
            ]

    async for chunk in json_array(pages()):
        yield chunk


async def reports(db: Queryable, user: User) -> AsyncIterator[bytes]:
    """Yield `reports.json`: what the user has reported."""

    async def pages() -> AsyncIterator[Iterable[Any]]:
        async for page in export_contents.reports(db, user.id):
            yield [report_fields(report) for report in page]

    async for chunk in json_array(pages()):
        yield chunk


async def decisions(db: Queryable, user: User) -> AsyncIterator[bytes]:
    """Yield `decisions.json`: the decisions of moderators about the user, without the moderators."""

    async def pages() -> AsyncIterator[Iterable[Any]]:
        async for page in export_contents.decisions(db, user.id):
            yield [decision_fields(decision) for decision in page]

    async for chunk in json_array(pages()):
        yield chunk


async def webhooks(db: Queryable, user: User) -> AsyncIterator[bytes]:
    """Yield `webhooks.json`: the user's endpoints, without secrets."""

    async def pages() -> AsyncIterator[Iterable[Any]]:
        yield [
            {
                "id": encode(endpoint.id),
                "url": endpoint.url,
                "description": endpoint.description,
                "types": list(endpoint.types),
                "scope": endpoint.scope,
                "ordered": endpoint.ordered,
                "state": endpoint.state,
                "created_at": timestamp(endpoint.created_at),
            }
            for endpoint in await webhook_endpoints.of_owner(db, user.id)
        ]

    async for chunk in json_array(pages()):
        yield chunk


async def account_imports(db: Queryable, user: User) -> AsyncIterator[bytes]:
    """Yield `imports.json`: the newest imports with their numbers."""

    async def pages() -> AsyncIterator[Iterable[Any]]:
        for found in await imports.of_user(db, user.id):
            yield [
                {
                    "id": encode(found.id),
                    "state": found.state,
                    "source": found.source,
                    "imported": found.imported,
                    "skipped": found.skipped,
                    "failed": found.failed,
                    "created_at": timestamp(found.created_at),
                }
            ]

    async for chunk in json_array(pages()):
        yield chunk


async def edges(db: Queryable, user: User, kinds: Mapping[str, tuple[str, str, str]]) -> AsyncIterator[bytes]:
    """Yield `follows.csv` or `blocks.csv`: the relation, the other account's id and name, and since when."""
    yield csv_rows([("relation", "user_id", "username", "since")])
    for relation, edge in kinds.items():
        async for page in export_contents.edges(db, user.id, edge):
            yield csv_rows([(relation, encode(other), name, timestamp(since)) for other, name, since in page])


async def missing(names: Sequence[str]) -> AsyncIterator[bytes]:
    """Yield `missing.txt`: the names of files whose objects were not in the blob store."""
    yield "".join(f"{name}\n" for name in names).encode()


def _photo_fields(photo: Photo, exif: Mapping[tuple[int, str | None], Any]) -> dict[str, Any]:
    files = [
        {
            "file": name,
            "sha256": picture.sha256,
            "content_type": picture.content_type,
            "bytes": picture.bytes,
            "width": picture.width,
            "height": picture.height,
            "alt_text": picture.alt_text,
            "exif": exif.get((photo.id, picture.sha256 if photo.items else None)) or {},
        }
        for name, picture in zip(picture_names(photo), pictures_of(photo), strict=True)
    ]
    return {
        "id": encode(photo.id),
        "state": photo.state,
        "reason": photo.reason,
        **description_fields(photo),
        "moderation": None if photo.moderation is None else moderation_fields(photo.moderation),
        "likes": photo.likes,
        "comments": photo.comments,
        "created_at": timestamp(photo.created_at),
        "files": files,
    }


def _comment_fields(row: Row) -> dict[str, Any]:
    return {
        "id": encode(row["id"]),
        "photo_id": encode(row["photo_id"]),
        "reply_to": None if row["reply_to"] is None else encode(row["reply_to"]),
        "text": row["text"],
        "likes": row["likes"],
        "created_at": timestamp(row["created_at"]),
        "edited_at": None if row["edited_at"] is None else timestamp(row["edited_at"]),
    }
