"""What an export has of an account, in pages of `PAGE`, so that an account of any size is read in bounded memory.

Each page is a statement of its own, and no transaction is open between two of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from storage import ids
from storage.models import Photo
from storage.notifications import Notification
from storage.postgres.database import Queryable
from storage.postgres.rows import Row
from storage.postgres.sharding import shard
from storage.reports import Decision, Report
from storage.stores import account_lists
from storage.stores.moderation import decisions as case_decisions
from storage.stores.moderation import reports as filed_reports
from storage.stores.notifications import notifications
from storage.stores.photos import photo_lists

PAGE = 200  # rows

T = TypeVar("T")
P = TypeVar("P")

_LATEST = datetime(9999, 1, 1, tzinfo=UTC)

# Relation -> the table, the column of the account itself with conditions, and that of the other account.
FOLLOWS = {
    "following": ("following", "follower_id", "followee_id"),
    "follower": ("followers", "followee_id", "follower_id"),
    "requested_by": ("follow_requests", "followee_id", "follower_id"),
    "close_friend": ("close_friends", "outgoing AND owner_id", "other_id"),
}
BLOCKS = {
    "block": ("blocks", "outgoing AND owner_id", "other_id"),
    "mute": ("mutes", "outgoing AND owner_id", "other_id"),
}


async def photos(db: Queryable, user_id: int) -> AsyncIterator[Sequence[Photo]]:
    """Yield pages of the user's own photos, newest first, in every state but deleted."""
    async for page in _pages(
        lambda before: photo_lists.by_author(db, user_id, viewer_id=user_id, before=before, limit=PAGE),
        lambda photo: photo.id,
    ):
        yield page


async def exif(db: Queryable, user_id: int, photo_ids: Sequence[int]) -> dict[tuple[int, str | None], Any]:
    """Return the EXIF of the user's own photos, of those that have any.

    By (photo, None), and of a photo with several pictures by (photo, hash of the original).
    """
    rows = await db.fetch(
        f"""
        SELECT e.photo_id, NULL AS sha256, e.exif FROM photo_exif e
        WHERE e.shard = {shard("$1")} AND e.photo_id = ANY($2::bigint[])
        UNION ALL SELECT i.photo_id, i.sha256, i.exif FROM photo_items i
        WHERE i.shard = {shard("$1")} AND i.photo_id = ANY($2::bigint[]) AND i.exif IS NOT NULL""",
        user_id,
        list(photo_ids),
    )
    return {(row["photo_id"], row["sha256"]): row["exif"] for row in rows}


async def comments(db: Queryable, user_id: int) -> AsyncIterator[Sequence[Row]]:
    """Yield pages of the user's comments, newest first."""
    async for page in _pages(
        lambda before: db.fetch(
            "/* all shards: the comments of an author */ SELECT c.id, c.photo_id, c.reply_to, c.text, c.likes, "
            "c.created_at, c.edited_at FROM comments c "
            "WHERE c.author_id = $1 AND c.deleted_at IS NULL AND c.id < $2 ORDER BY c.id DESC LIMIT $3",
            user_id,
            before or ids.MAX_ID,
            PAGE,
        ),
        lambda row: row["id"],
    ):
        yield page


async def likes(db: Queryable, user_id: int) -> AsyncIterator[Sequence[Row]]:
    """Yield pages of the photos that the user likes, newest like first, with the times of the likes."""
    async for page in _pages(
        lambda before: db.fetch(
            "/* all shards: the likes of a user */ SELECT l.photo_id, l.created_at FROM likes l "
            "WHERE l.user_id = $1 AND (l.created_at, l.photo_id) < ($2, $3) "
            "ORDER BY l.created_at DESC, l.photo_id DESC LIMIT $4",
            user_id,
            *(before or (_LATEST, ids.MAX_ID)),
            PAGE,
        ),
        lambda row: (row["created_at"], row["photo_id"]),
    ):
        yield page


async def comment_likes(db: Queryable, user_id: int) -> AsyncIterator[Sequence[Row]]:
    """Yield pages of the comments that the user likes, newest comment first, with the times of the likes."""
    async for page in _pages(
        lambda before: db.fetch(
            "/* all shards: the likes of a user */ SELECT l.comment_id, l.created_at FROM comment_likes l "
            "WHERE l.user_id = $1 AND l.comment_id < $2 ORDER BY l.comment_id DESC LIMIT $3",
            user_id,
            before or ids.MAX_ID,
            PAGE,
        ),
        lambda row: row["comment_id"],
    ):
        yield page


async def edges(
    db: Queryable, user_id: int, edge: tuple[str, str, str]
) -> AsyncIterator[Sequence[tuple[int, str, Any]]]:
    """Yield pages of (account, username, since) of one of `FOLLOWS` or `BLOCKS`; the name of a deleted one is empty."""
    table, own, other = edge
    async for page in _pages(
        lambda before: db.fetch(
            f"SELECT {other} AS other_id, created_at FROM {table} WHERE shard = {shard('$1')} AND {own} = $1 "
            f"AND {other} < $2 ORDER BY {other} DESC LIMIT $3",
            user_id,
            before or ids.MAX_ID,
            PAGE,
        ),
        lambda row: row["other_id"],
    ):
        names = await account_lists.summaries(db, [row["other_id"] for row in page])
        yield [
            (
                row["other_id"],
                names[row["other_id"]].username if row["other_id"] in names else "",
                row["created_at"],
            )
            for row in page
        ]


async def collections(db: Queryable, user_id: int) -> Sequence[Row]:
    """Return the user's collections, at most some hundreds, newest first; the one of saved photos has no title."""
    return await db.fetch(
        "SELECT c.id, c.title, c.public, c.saved, c.created_at FROM collections c "
        f"WHERE c.shard = {shard('$1')} AND c.owner_id = $1 ORDER BY c.id DESC",
        user_id,
    )


async def collection_photos(db: Queryable, collection_id: int) -> list[int]:
    """Return the photos of a collection, in its order."""
    found: list[int] = []
    async for page in _pages(
        lambda before: db.fetch(
            f"SELECT i.position, i.photo_id FROM collection_items i WHERE i.shard = {shard('$1')} "
            "AND i.collection_id = $1 AND i.position < $2 ORDER BY i.position DESC LIMIT $3",
            collection_id,
            ids.MAX_ID if before is None else before,
            PAGE,
        ),
        lambda row: row["position"],
    ):
        found += [row["photo_id"] for row in page]
    return found


async def inbox(db: Queryable, user_id: int) -> AsyncIterator[Sequence[Notification]]:
    """Yield pages of the user's notifications, newest first."""
    async for page in _pages(
        lambda before: notifications.inbox(db, user_id, before=before, limit=PAGE), lambda entry: entry.position
    ):
        yield page


async def reports(db: Queryable, user_id: int) -> AsyncIterator[Sequence[Report]]:
    """Yield pages of what the user has reported, newest first."""
    async for page in _pages(
        lambda before: filed_reports.of_reporter(db, user_id, before=before, limit=PAGE), lambda report: report.id
    ):
        yield page


async def decisions(db: Queryable, user_id: int) -> AsyncIterator[Sequence[Decision]]:
    """Yield pages of the decisions about the user, newest first."""
    async for page in _pages(
        lambda before: case_decisions.of_owner(db, user_id, before=before, limit=PAGE), lambda decision: decision.id
    ):
        yield page


async def profile_images(db: Queryable, user_id: int) -> Sequence[Row]:
    """Return the kind, the hash and the type of the avatar and the banner that are shown."""
    return await db.fetch(
        "SELECT i.kind, i.sha256, i.content_type FROM profile_images i "
        f"WHERE i.shard = {shard('$1')} AND i.user_id = $1 AND i.state = 'ready' ORDER BY i.kind",
        user_id,
    )


async def _pages(
    read: Callable[[P | None], Awaitable[Sequence[T]]], position: Callable[[T], P]
) -> AsyncIterator[Sequence[T]]:
    """Yield the pages that `read` returns, each below the position of the last row of the one before."""
    before: P | None = None
    while page := await read(before):
        yield page
        if len(page) < PAGE:
            return
        before = position(page[-1])
