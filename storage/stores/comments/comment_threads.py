"""Who has written a thread: a comment and the comment above it.

A user who does not see the author of a comment sees neither it nor the replies to it
(`storage.stores.comments.comment_lists`). So a reply has two authors from which no block may separate those who like it
or are notified of it.
"""

from __future__ import annotations

from storage.postgres.database import Queryable
from storage.postgres.sharding import shard


def author_above(in_shard: str) -> str:
    """Return the SQL expression of the author of the comment above the comment `c`, NULL if none is above it."""
    return f"(SELECT t.author_id FROM comments t WHERE t.shard = {in_shard} AND t.id = c.reply_to)"


async def authors(db: Queryable, comment_id: int) -> list[int]:
    """Return the authors of a comment and of the one above it, also of deleted ones; none if there was no comment."""
    row = await db.fetchrow(
        f"SELECT c.author_id, {author_above(shard('$1'))} AS above FROM comments c "
        f"WHERE c.shard = {shard('$1')} AND c.id = $1",
        comment_id,
    )
    return [] if row is None else [author_id for author_id in row.values() if author_id is not None]
