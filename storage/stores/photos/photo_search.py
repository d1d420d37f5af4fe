"""Search for photos by the words of their captions, tags and places, newest first."""

from __future__ import annotations

from collections.abc import Sequence

from storage.models import Photo
from storage.postgres.database import Queryable
from storage.postgres.rows import PHOTO, Row, photo_of
from storage.postgres.visibility import found
from storage.stores.photos.photo_items import with_items

_WALK = 5_000  # newest photos that are looked through for frequent words, those in one of 250 photos and more
_MARGIN = 4  # times the photos among which a page is to be expected
_FAR = 250_000  # photos; to find the ids of more takes longer than what the index gives of a word that is so rare
# The photo of an entry `t`, if everyone may find it. With OFFSET the planner reads one after the other, until the page
# is full; a join might read all photos and users first.
_PHOTO_OF_ENTRY = f"""
    LATERAL (
        SELECT {PHOTO} FROM photos p JOIN users a ON a.id = p.author_id AND a.shard = p.shard
        WHERE p.id = t.photo_id AND p.shard = t.shard AND {found("a.shard")} OFFSET 0) AS photo"""


async def search(
    db: Queryable, lexemes: str, results: list[Photo], *, viewer_id: int | None, before: int, limit: int
) -> None:
    """Append the newest `limit` photos with ids below `before` that have all words, as everyone may find them.

    `lexemes` is a tsquery, see `storage.search_text`; a viewer is shown none of an account that is blocked or blocks.
    """
    if not lexemes:
        return
    # A frequent word is soon found again among the newest photos, where the index would give millions. A rare one is
    # not, and the index gives few. Which it is shows only when the first way ends.
    rows = await _walk(db, lexemes, viewer_id, before, limit)
    results += await _photos(db, rows)
    if len(rows) == limit:
        return
    # The number that was found says how far back a page of them reaches. The index alone would give all that there
    # are, and their rows would be read from all over the table.
    among = round(_WALK * limit / len(rows)) * _MARGIN if rows else _FAR + 1
    above = await _likely_end(db, before, among=among) if among <= _FAR else 0
    rows = await _by_index(db, lexemes, viewer_id, before, limit, above=above)
    if len(rows) < limit and above > 0:
        rows = await _by_index(db, lexemes, viewer_id, before, limit, above=0)
    results[:] = await _photos(db, rows)


async def _walk(db: Queryable, lexemes: str, viewer_id: int | None, before: int, limit: int) -> Sequence[Row]:
    return await db.fetch(
        f"""
        /* all shards: photos are found by their words */
        SELECT photo.* FROM (
            SELECT n.shard, n.photo_id, n.words FROM photo_text n WHERE n.photo_id < $2
            ORDER BY n.photo_id DESC LIMIT {_WALK}) AS t, {_PHOTO_OF_ENTRY}
        WHERE t.words @@ $3::text::tsquery ORDER BY t.photo_id DESC LIMIT $4""",
        viewer_id,
        before,
        lexemes,
        limit,
    )


async def _likely_end(db: Queryable, before: int, *, among: int) -> int:
    """Return the id above which the newest `among` photos most likely are; 0 if that is below the first photo.

    Ids follow time, and how many photos are posted in a time varies.
    """
    (row,) = await db.fetch(
        f"""
        /* all shards: photos are found by their words */
        SELECT max(n.photo_id) AS newest, min(n.photo_id) AS last, (SELECT min(f.photo_id) FROM photo_text f) AS first
        FROM (SELECT photo_id FROM photo_text WHERE photo_id < $1 ORDER BY photo_id DESC LIMIT {_WALK}) AS n""",
        before,
    )
    if row["newest"] is None:
        return 0
    end: int = row["newest"] - (row["newest"] - row["last"]) * among // _WALK
    return end if end > row["first"] else 0


async def _by_index(
    db: Queryable, lexemes: str, viewer_id: int | None, before: int, limit: int, *, above: int
) -> Sequence[Row]:
    # The planner, left to choose, may walk all photos in the order of the result. Without an end there is no condition
    # for it either: a plan for any value expects that few ids are above it, and reads those of all photos.
    end, arguments = (" AND n.photo_id > $5", [above]) if above else ("", [])
    return await db.fetch(
        f"""
        /* all shards: photos are found by their words */
        WITH t AS MATERIALIZED (
            SELECT n.shard, n.photo_id FROM photo_text n
            WHERE n.words @@ $3::text::tsquery AND n.photo_id < $2{end})
        SELECT photo.* FROM (SELECT t.shard, t.photo_id FROM t ORDER BY t.photo_id DESC OFFSET 0) AS t,
            {_PHOTO_OF_ENTRY}
        ORDER BY t.photo_id DESC LIMIT $4""",
        viewer_id,
        before,
        lexemes,
        limit,
        *arguments,
    )


async def _photos(db: Queryable, rows: Sequence[Row]) -> list[Photo]:
    return await with_items(db, [photo_of(row) for row in rows])
