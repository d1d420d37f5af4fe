"""Trigrams (the extension pg_trgm), by which parts of words and similar words are found.

The indexes of trigrams are missing where the extension could not be created, see the migration 0029.
"""

from __future__ import annotations

from storage.postgres.database import Queryable

INDEXES = ("user_search_parts", "tags_parts")
# What the migration has done if it could, for databases that get the extension later.
CREATE = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS user_search_parts "
    "ON user_search USING gin ((' ' || translate(name, '_.', '  ') || ' ' || display) gin_trgm_ops)",
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS tags_parts ON tags USING gin ((' ' || key) gin_trgm_ops)",
)
_LEAST = 0.33  # similarity of short words, of seven letters with two of them swapped
_MOST = 0.6


async def available(db: Queryable) -> bool:
    """Return whether the database has the indexes of trigrams."""
    missing: int = await db.fetchval(
        "SELECT count(*) FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL", list(INDEXES)
    )
    return missing == 0


def threshold(typed: str) -> str:
    """Return the similarity that a text has with two letters of `typed` swapped, as a parameter of `similar`.

    It is the number of trigrams that both have, by that of all that either has. A word of n letters has n + 1, of which
    four are in the other letters' places, so n - 3 of n + 5 are left. One wrong letter costs less.
    """
    letters = len(typed)
    return f"{min(max((letters - 3) / (letters + 5) - 0.01, _LEAST), _MOST):.2f}"


def similar(columns: str, table: str, text: str, order: str, *, typed: str, least: str) -> str:
    """Return a query for the rows of `table` whose `text` has a part that is similar to `typed`, the closest first.

    All arguments are SQL, `text` the indexed expression, and `least` that of `threshold`. Rows that are equally close
    are sorted by `order`.
    """
    # The threshold is a setting of the session. It is set here for the statement alone: the text that the index is
    # searched for depends on the result of the call, so that the call comes first.
    return f"""
        SELECT {columns}, word_similarity({typed}, {text}) AS similarity
        FROM (SELECT set_config('pg_trgm.word_similarity_threshold', {least}, true) AS threshold OFFSET 0) AS own
        CROSS JOIN LATERAL (SELECT {typed} || left(own.threshold, 0) AS typed OFFSET 0) AS set
        JOIN {table} ON set.typed <% {text}
        ORDER BY similarity DESC, {order}"""
