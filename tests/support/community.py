"""Create users and photos directly in the stores, for tests of other things."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from storage.ids import IdGenerator
from storage.models import Photo, PhotoItem, User
from storage.notifications import Activity, Notification, NotificationKind
from storage.postgres.database import Database, Transaction
from storage.stores import inbox_lock
from storage.stores.accounts import account_fields, users
from storage.stores.notifications import notification_groups, notifications
from storage.stores.notifications.notification_lookup import look_up
from storage.stores.photos import photo_items, photo_processing, photos
from storage.stores.photos.photo_items import DecodedItem
from storage.stores.social import blocks, follows

_contents = itertools.count(1)


async def new_user(database: Database, name: str, *, private: bool = False) -> User:
    """Create an account."""
    async with database.transaction() as tx:
        user = await users.create(
            tx, username=name, email=f"{name}@example.org", password_hash="-", display_name=name.title()
        )
        return await account_fields.update(tx, user.id, private=True) if private else user


async def new_users(database: Database, *names: str) -> list[User]:
    """Create several public accounts."""
    return [await new_user(database, name) for name in names]


async def processing_photo(database: Database, author: User, **fields: Any) -> Photo:
    """Create a photo that has just been uploaded."""
    values: dict[str, Any] = {
        "sha256": hashlib.sha256(str(next(_contents)).encode()).hexdigest(),
        "content_type": "image/jpeg",
        "bytes": 1000,
        "width": 640,
        "height": 427,
        "caption": "",
        "alt_text": "",
        "tags": (),
        "location": None,
    }
    async with database.transaction() as tx:
        return await photos.create(tx, author_id=author.id, **{**values, **fields})


async def ready_photo(
    database: Database, author: User, *, suggestions: Mapping[str, str] | None = None, **fields: Any
) -> Photo:
    """Create a processed photo, with texts of its file that are suggested."""
    photo = await processing_photo(database, author, **fields)
    async with database.transaction() as tx:
        assert await photo_processing.mark_ready(
            tx, photo.id, width=640, height=427, placeholder=None, exif=None, suggestions=suggestions
        )
    return await photos.get(database, photo.id, viewer_id=author.id)


async def processing_post(database: Database, author: User, *alt_texts: str, **fields: Any) -> Photo:
    """Create a photo of several pictures, one for each alternative text, that has just been uploaded."""
    items = [
        PhotoItem(
            sha256=hashlib.sha256(str(next(_contents)).encode()).hexdigest(),
            content_type="image/jpeg",
            bytes=1000 + place,
            width=640,
            height=400 + place,
            alt_text=alt_text,
        )
        for place, alt_text in enumerate(alt_texts)
    ]
    first = {name: getattr(items[0], name) for name in ("sha256", "bytes", "height", "alt_text")}
    photo = await processing_photo(database, author, **first, **fields)
    async with database.transaction() as tx:
        return await photo_items.add(tx, photo, items)


async def ready_post(database: Database, author: User, *alt_texts: str, **fields: Any) -> Photo:
    """Create a processed photo of several pictures, whose EXIF names their places."""
    photo = await processing_post(database, author, *alt_texts, **fields)
    first = photo.items[0]
    async with database.transaction() as tx:
        assert await photo_processing.mark_ready(
            tx,
            photo.id,
            width=first.width,
            height=first.height,
            placeholder="p0",
            exif=None,
            items=decoded_items(photo),
        )
    return await photos.get(database, photo.id, viewer_id=author.id)


def decoded_items(photo: Photo) -> list[DecodedItem]:
    """Return what a decoder finds in the pictures of a photo that has several."""
    return [
        DecodedItem(
            sha256=item.sha256,
            width=item.width,
            height=item.height,
            placeholder=f"p{place}",
            exif={"Make": f"Camera {place}", "location": {"latitude": 47.123456, "longitude": 8.5}},
        )
        for place, item in enumerate(photo.items)
    ]


async def exif_of(database: Database, photo: Photo) -> dict[str, Any] | None:
    """Return the EXIF that is kept for a photo's author."""
    exif: dict[str, Any] | None = await database.fetchval("SELECT exif FROM photo_exif WHERE photo_id = $1", photo.id)
    return exif


async def follow(database: Database, follower: User, followee: User) -> bool:
    """Follow a user, or request it if the account is private."""
    async with database.transaction() as tx:
        return await follows.follow(tx, follower.id, followee.id)


async def block(database: Database, blocker: User, blocked: User) -> None:
    """Block a user."""
    async with database.transaction() as tx:
        await blocks.block(tx, blocker.id, blocked.id)


async def one_sided_edges(database: Database) -> list[tuple[str, int, int]]:
    """Return the table and users of each follow, block or mute that has a row in the shard of one of them only."""
    rows = await database.fetch(
        """
        WITH edges AS (
            SELECT 'follows' AS kind, follower_id AS one, followee_id AS other, created_at FROM following
            UNION ALL SELECT 'follows', follower_id, followee_id, created_at FROM followers
            UNION ALL SELECT 'blocks', owner_id, other_id, created_at FROM blocks WHERE outgoing
            UNION ALL SELECT 'blocks', other_id, owner_id, created_at FROM blocks WHERE NOT outgoing
            UNION ALL SELECT 'mutes', owner_id, other_id, created_at FROM mutes WHERE outgoing
            UNION ALL SELECT 'mutes', other_id, owner_id, created_at FROM mutes WHERE NOT outgoing)
        SELECT kind, one, other FROM edges GROUP BY kind, one, other, created_at HAVING count(*) <> 2"""
    )
    return [tuple(row) for row in rows]


async def record_notification(
    tx: Transaction,
    *,
    recipient_id: int,
    kind: NotificationKind,
    actor_id: int | None,
    photo_id: int | None,
    source_id: int,
) -> Notification | None:
    """Record an activity under the inbox's lock and return its entry, as the notification worker does."""
    activity = Activity(recipient_id=recipient_id, kind=kind, actor_id=actor_id, photo_id=photo_id, source_id=source_id)
    await inbox_lock.acquire(tx, recipient_id)
    recorded = await notification_groups.record(tx, activity, await look_up(tx, activity))
    if recorded is None:
        return None
    return (await notifications.by_ids(tx, recipient_id, [recorded.entry_id])).get(recorded.entry_id)


async def retract_notification(
    tx: Transaction,
    *,
    recipient_id: int,
    kind: NotificationKind,
    actor_id: int,
    photo_id: int | None,
    source_id: int,
) -> int | None:
    """Retract an activity under the inbox's lock and return its entry's id, as the notification worker does."""
    activity = Activity(recipient_id=recipient_id, kind=kind, actor_id=actor_id, photo_id=photo_id, source_id=source_id)
    await inbox_lock.acquire(tx, recipient_id)
    return await notification_groups.retract(tx, activity, await look_up(tx, activity))


async def topics(database: Database) -> list[str]:
    """Return the topics of the events in the outbox, one per event, in order."""
    rows = await database.fetch("SELECT topic FROM outbox GROUP BY event_id, topic ORDER BY min(id)")
    return [row["topic"] for row in rows]


@contextmanager
def in_the_past(database: Database, *, days: float = 2.0) -> Iterator[None]:
    """Give accounts, photos and comments ids of some days ago."""
    present, database._ids = database._ids, IdGenerator(lambda: time.time() - days * 86_400)
    try:
        yield
    finally:
        database._ids = present


async def old_users(database: Database, *names: str) -> list[User]:
    """Create several public accounts that are two days old."""
    with in_the_past(database):
        return await new_users(database, *names)
