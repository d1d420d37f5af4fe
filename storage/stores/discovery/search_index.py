"""The search index: what is written with users and photos, in the same transaction.

A user who may be found has a row in `user_search`, and a photo with words one in `photo_text`, whatever its audience:
what a search shows is decided when it reads. The number of a tag's photos is counted later
(`storage.stores.discovery.tag_counts`), so that users of a popular tag do not wait for each other; a change marks its
tags.
"""

from __future__ import annotations

from collections.abc import Sequence

from storage import search_text
from storage.entities import tags_of_photo
from storage.models import Photo, User
from storage.postgres.database import Transaction
from storage.postgres.sharding import shard

# An update that changes nothing but its time locks the mark, so that a count that deletes it waits for the change.
MARK = "ON CONFLICT (tag, shard) DO UPDATE SET marked_at = excluded.marked_at"


def fame(followers: str) -> str:
    """Return the SQL expression for the fame of an account, from that for its number of followers."""
    return f"floor(log(2.0, {followers} + 1))::smallint"


def words_of(caption: str, tags: Sequence[str], location: str | None) -> list[str]:
    """Return the words by which a photo is found."""
    return search_text.lexemes([caption, *tags, location or ""])


async def write_user(tx: Transaction, user: User) -> None:
    """Let an account be found by its present names, or not at all, as it has chosen."""
    if not user.searchable:
        await tx.execute(f"DELETE FROM user_search WHERE shard = {shard('$1')} AND user_id = $1", user.id)
        return
    await tx.execute(
        f"""
        INSERT INTO user_search (shard, user_id, name, display, fame)
        SELECT {shard("$1")}, $1, $2, $3, {fame("$4::integer")}
        ON CONFLICT (user_id, shard) DO UPDATE SET name = excluded.name, display = excluded.display""",
        user.id,
        user.username.lower(),
        search_text.key(user.display_name),
        user.followers,
    )


async def write_photo(tx: Transaction, photo: Photo, *, former_tags: Sequence[str] = ()) -> None:
    """Let a photo be found by its present words, and mark its tags and those that it had before."""
    await tx.execute(
        f"""
        WITH marked AS (
            INSERT INTO tag_recounts (shard, tag)
            SELECT {shard("$1")}, tag FROM unnest($3::text[]) AS tag ORDER BY tag {MARK})
        INSERT INTO photo_text (shard, photo_id, words) VALUES ({shard("$1")}, $1, array_to_tsvector($2::text[]))
        ON CONFLICT (photo_id, shard) DO UPDATE SET words = excluded.words""",
        photo.id,
        words_of(photo.caption, photo.tags, photo.location),
        # All in one statement, sorted, so that two transactions lock the marks of the same tags in one order.
        list({*tags_of_photo(photo.tags, photo.caption), *former_tags}),
    )


async def mark_tags(tx: Transaction, photo_id: int) -> None:
    """Mark the tags of a photo, which others may see now or no longer."""
    await tx.execute(
        f"""
        INSERT INTO tag_recounts (shard, tag)
        SELECT shard, tag FROM photo_tags WHERE shard = {shard("$1")} AND photo_id = $1 ORDER BY tag {MARK}""",
        photo_id,
    )


async def mark_tags_of_account(tx: Transaction, user_id: int) -> None:
    """Mark the tags of all photos of an account, which others may see now or no longer."""
    await tx.execute(
        f"""
        INSERT INTO tag_recounts (shard, tag)
        SELECT DISTINCT t.shard, t.tag FROM photos p JOIN photo_tags t ON t.photo_id = p.id AND t.shard = p.shard
        WHERE p.shard = {shard("$1")} AND p.author_id = $1 AND p.deleted_at IS NULL ORDER BY t.tag {MARK}""",
        user_id,
    )
