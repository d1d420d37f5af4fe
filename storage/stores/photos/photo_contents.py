"""The photos that have an original, by its SHA-256 in hex: as their only picture, or as one of several."""

from __future__ import annotations

from storage.postgres.database import Queryable
from storage.postgres.rows import PHOTOS
from storage.postgres.sharding import shard
from storage.postgres.visibility import visible

# A photo's own columns are those of its first picture, so most originals are found without looking at the items.
_ITEMS = "photo_items i JOIN photos p ON p.id = i.photo_id AND p.shard = i.shard"
_ITEMS_OF_AUTHORS = f"{_ITEMS} JOIN users a ON a.id = p.author_id AND a.shard = p.shard"
_READY = "p.state = 'ready' AND p.deleted_at IS NULL"


async def is_public(db: Queryable, sha256: str) -> bool:
    """Return whether a ready photo that everyone may see has this original."""
    shown = f"{_READY} AND p.audience = 'public' AND NOT a.private AND {visible()} LIMIT 1"
    public: bool = await db.fetchval(
        f"/* all shards: by content */ SELECT EXISTS (SELECT 1 FROM {PHOTOS} WHERE p.sha256 = $1 AND {shown}) "
        f"OR EXISTS (SELECT 1 FROM {_ITEMS_OF_AUTHORS} WHERE i.sha256 = $1 AND {shown})",
        sha256,
    )
    return public


async def is_animation(db: Queryable, sha256: str) -> bool:
    """Return whether a photo has this original and shows it in motion."""
    animation: bool = await db.fetchval(
        "/* all shards: by content */ SELECT EXISTS (SELECT 1 FROM photos WHERE sha256 = $1 "
        "AND motion IS NOT NULL AND deleted_at IS NULL LIMIT 1) "
        f"OR EXISTS (SELECT 1 FROM {_ITEMS} WHERE i.sha256 = $1 AND i.motion IS NOT NULL AND p.deleted_at IS NULL "
        "LIMIT 1)",
        sha256,
    )
    return animation


async def is_video(db: Queryable, sha256: str) -> bool:
    """Return whether a ready photo is a video with this original."""
    video: bool = await db.fetchval(
        "/* all shards: by content */ SELECT EXISTS (SELECT 1 FROM photos WHERE sha256 = $1 "
        "AND video IS NOT NULL AND deleted_at IS NULL LIMIT 1)",
        sha256,
    )
    return video


async def is_referenced(db: Queryable, sha256: str) -> bool:
    """Return whether a photo in any state that is not deleted has this original."""
    referenced: bool = await db.fetchval(
        "/* all shards: by content */ "
        "SELECT EXISTS (SELECT 1 FROM photos WHERE sha256 = $1 AND deleted_at IS NULL LIMIT 1) "
        f"OR EXISTS (SELECT 1 FROM {_ITEMS} WHERE i.sha256 = $1 AND p.deleted_at IS NULL LIMIT 1)",
        sha256,
    )
    return referenced


async def is_shown(db: Queryable, sha256: str) -> bool:
    """Return whether a photo of a visible account that moderation does not withhold has this original.

    In any other state but `rejected`, which has no images: its author may see it at least.
    """
    kept = f"p.state NOT IN ('hidden', 'rejected') AND p.deleted_at IS NULL AND {visible()} LIMIT 1"
    shown: bool = await db.fetchval(
        f"/* all shards: by content */ SELECT EXISTS (SELECT 1 FROM {PHOTOS} WHERE p.sha256 = $1 AND {kept}) "
        f"OR EXISTS (SELECT 1 FROM {_ITEMS_OF_AUTHORS} WHERE i.sha256 = $1 AND {kept})",
        sha256,
    )
    return shown


async def shown_with(db: Queryable, sha256: str) -> list[tuple[int, int]]:
    """Return photo and author of the ready photos with this original, the oldest first."""
    rows = await db.fetch(
        f"/* all shards: by content */ SELECT p.id, p.author_id FROM photos p WHERE p.sha256 = $1 AND {_READY} "
        f"UNION SELECT p.id, p.author_id FROM {_ITEMS} WHERE i.sha256 = $1 AND {_READY} ORDER BY id",
        sha256,
    )
    return [(row["id"], row["author_id"]) for row in rows]


async def is_owner(db: Queryable, sha256: str, user_id: int) -> bool:
    """Return whether a user has a photo, in any state, with this original."""
    owner: bool = await db.fetchval(
        f"SELECT EXISTS (SELECT 1 FROM photos WHERE shard = {shard('$2')} AND sha256 = $1 AND author_id = $2 "
        "AND deleted_at IS NULL) "
        f"OR EXISTS (SELECT 1 FROM {_ITEMS} WHERE i.shard = {shard('$2')} AND i.sha256 = $1 "
        "AND p.author_id = $2 AND p.deleted_at IS NULL)",
        sha256,
        user_id,
    )
    return owner


async def of_photo(db: Queryable, photo_id: int) -> list[str]:
    """Return the originals of a photo's pictures, in any order."""
    rows = await db.fetch(
        f"SELECT sha256 FROM photos WHERE shard = {shard('$1')} AND id = $1 "
        f"UNION SELECT sha256 FROM photo_items WHERE shard = {shard('$1')} AND photo_id = $1",
        photo_id,
    )
    return [row["sha256"] for row in rows]


async def page_of_author(db: Queryable, author_id: int, *, below: int, limit: int) -> tuple[list[str], int | None]:
    """Return the originals of an author's newest ready photos with ids below `below`, and the `below` of the next page.

    `limit` is the number of photos. The latter is None after the last page.
    """
    rows = await db.fetch(
        f"""
        SELECT p.id, p.sha256, CASE WHEN p.pictures > 1 THEN ARRAY(
            SELECT i.sha256 FROM photo_items i WHERE i.shard = {shard("$1")} AND i.photo_id = p.id) END AS others
        FROM photos p WHERE p.shard = {shard("$1")} AND p.author_id = $1 AND p.id < $2 AND {_READY}
        ORDER BY p.id DESC LIMIT $3""",
        author_id,
        below,
        limit,
    )
    found = dict.fromkeys(sha256 for row in rows for sha256 in (row["sha256"], *(row["others"] or ())))
    return list(found), rows[-1]["id"] if len(rows) == limit else None


async def ready_with_content(db: Queryable, author_id: int, sha256: str) -> int | None:
    """Return the newest ready photo of an author with this original, or None."""
    photo_id: int | None = await db.fetchval(
        f"""
        SELECT max(id) FROM (
            SELECT p.id FROM photos p
            WHERE p.shard = {shard("$1")} AND p.author_id = $1 AND p.sha256 = $2 AND {_READY}
            UNION ALL
            SELECT p.id FROM {_ITEMS}
            WHERE i.shard = {shard("$1")} AND p.author_id = $1 AND i.sha256 = $2 AND {_READY}) AS found""",
        author_id,
        sha256,
    )
    return photo_id
