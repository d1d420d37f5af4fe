"""Rows of the search index that are missing: of before its migration, and of processes of the version before.

Users and photos are checked once each in the order of their ids, an hour after they were created. By then no process of
the version before is running any more, as a rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from storage import ids, search_text
from storage.postgres.database import Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shards
from storage.stores.discovery.search_index import MARK, fame, words_of

CHECKED_AFTER = timedelta(hours=1)


async def fill_users(tx: Transaction, *, limit: int, checked_after: timedelta = CHECKED_AFTER) -> int | None:
    """Insert what is missing of the next users; return the number of rows, None if no users are left to check."""
    rows = await _next(
        tx,
        "users",
        "/* all shards: the janitor's */ SELECT id, username::text, display_name, followers, "
        "searchable AND deleted_at IS NULL AS wanted FROM users WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3",
        limit,
        checked_after,
    )
    if not rows:
        return None
    wanted = [row for row in rows if row["wanted"]]
    return await tx.execute(
        f"""
        INSERT INTO user_search (shard, user_id, name, display, fame)
        SELECT (u.id & 1023)::integer, u.id, u.name, u.display, {fame("u.followers")}
        FROM unnest($1::bigint[], $2::text[], $3::text[], $4::integer[]) AS u (id, name, display, followers)
        ON CONFLICT (user_id, shard) DO NOTHING""",
        [row["id"] for row in wanted],
        [row["username"].lower() for row in wanted],
        [search_text.key(row["display_name"]) for row in wanted],
        [row["followers"] for row in wanted],
    )


async def fill_photos(tx: Transaction, *, limit: int, checked_after: timedelta = CHECKED_AFTER) -> int | None:
    """Insert what is missing of the next photos; return the number of rows, None if no photos are left to check."""
    rows = await _next(
        tx,
        "photos",
        "/* all shards: the janitor's */ SELECT id, caption, tags, location, deleted_at IS NULL AS wanted FROM photos "
        "WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3",
        limit,
        checked_after,
    )
    if not rows:
        return None
    wanted = [row for row in rows if row["wanted"]]
    missing = await tx.fetch(
        """
        INSERT INTO photo_text (shard, photo_id, words)
        SELECT (p.id & 1023)::integer, p.id, array_to_tsvector(string_to_array(p.words, ' '))
        FROM unnest($1::bigint[], $2::text[]) AS p (id, words)
        ON CONFLICT (photo_id, shard) DO NOTHING RETURNING photo_id""",
        [row["id"] for row in wanted],
        [" ".join(words_of(row["caption"], row["tags"], row["location"])) for row in wanted],
    )
    filled = [row["photo_id"] for row in missing]
    if filled:
        await _mark_tags(tx, filled)
    return len(filled)


async def _mark_tags(tx: Transaction, photo_ids: Sequence[int]) -> None:
    await tx.execute(
        f"""
        INSERT INTO tag_recounts (shard, tag)
        SELECT DISTINCT t.shard, t.tag FROM photo_tags t
        WHERE t.shard = ANY($1::integer[]) AND t.photo_id = ANY($2::bigint[]) ORDER BY t.tag {MARK}""",
        shards(photo_ids),
        photo_ids,
    )


async def _next(tx: Transaction, name: str, sql: str, limit: int, checked_after: timedelta) -> Sequence[Row]:
    """Return the next rows of a table and note that they are checked with this transaction."""
    # Under this lock, the janitors of several processes take turns.
    position = await tx.fetchval("SELECT position FROM search_progress WHERE name = $1 FOR UPDATE", name)
    rows = await tx.fetch(sql, position, tx.new_id(0) - ids.span(checked_after), limit)
    if rows:
        await tx.execute("UPDATE search_progress SET position = $2 WHERE name = $1", name, rows[-1]["id"])
    return rows
