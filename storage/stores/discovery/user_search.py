"""Search for users by their usernames and display names.

The order is that of a position: first the user with the name, then those whom the viewer follows, then others, each by
how the names fit and by followers; similar names come last and only if there are few others. Each step appends to a
list, so that a caller that gives up waiting has the results of the steps before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from storage.models import UserSummary
from storage.postgres.database import Queryable
from storage.postgres.rows import USER_SUMMARY, Row, user_summary_of
from storage.postgres.sharding import shard, shards
from storage.postgres.trigrams import similar, threshold
from storage.postgres.visibility import findable
from storage.search_text import SHORT, SearchedText

MAX_FOUND = 100
FEW = 5  # fewer results are completed by similar names
_CANDIDATES = 150  # of which some may be hidden from the viewer
_FOLLOWED = 1_000  # followed accounts that are looked through first
_INDEXED = 3  # first letters of names that are indexed by fame, see the migration 0029
_SIMILAR = 20
_SIMILAR_KEY = 4  # letters of a search from which on similar names are found

Position = tuple[int, int, int, int]

# The username and the display name as words, each after a space; the index of trigrams has the same expression.
_WORDS = "(' ' || translate(s.name, '_.', '  ') || ' ' || s.display)"
_FOUND = f"{USER_SUMMARY}, s.fit, s.fame"
_VISIBLE = findable("a.shard")


class _Tier(IntEnum):
    NAMED = 0
    FOLLOWED = 1
    OTHER = 2
    SIMILAR = 3


class _Fit(IntEnum):
    """How a name fits: the username is equal, a name begins with it, words of it do, or it is within words."""

    EQUAL = 0
    BEGINNING = 1
    WORDS = 2
    PARTS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundUser:
    """A user, whether the viewer follows them, and the position in the order of all results."""

    user: UserSummary
    following: bool
    position: Position


async def search(
    db: Queryable, searched: SearchedText, results: list[FoundUser], *, viewer_id: int | None, parts: bool
) -> None:
    """Append up to `MAX_FOUND` users whose names have all words, in the order of their positions.

    Without `parts`, because the indexes of trigrams are missing, others than followed users are found by the beginning
    of a name only.
    """
    if not searched.keys:
        return
    followed = await _followed(db, viewer_id)
    if followed:
        _append(results, await _among(db, searched, viewer_id, followed), searched, _Tier.FOLLOWED)
    if not parts or len(searched.key) <= _INDEXED:
        _append(results, await _by_beginning(db, searched, viewer_id), searched, _Tier.OTHER, followed)
    # Three letters are within so many names that they are looked for only if few begin with them.
    if parts and (len(searched.key) > _INDEXED or (len(results) < FEW and len(searched.key) > SHORT)):
        _append(results, await _by_parts(db, searched, viewer_id), searched, _Tier.OTHER, followed)
    # Several words that fit a name are spelt as they should be.
    few = FEW if len(searched.keys) == 1 else 1
    if parts and len(results) < few and len(searched.key) >= _SIMILAR_KEY:
        _append(results, await _similar(db, searched, viewer_id), searched, _Tier.SIMILAR, followed)
    results.sort(key=lambda one: one.position)
    del results[MAX_FOUND:]


async def _followed(db: Queryable, viewer_id: int | None) -> list[int]:
    if viewer_id is None:
        return []
    rows = await db.fetch(
        f"SELECT followee_id FROM following WHERE shard = {shard('$1')} AND follower_id = $1 "
        "ORDER BY followee_id DESC LIMIT $2",
        viewer_id,
        _FOLLOWED,
    )
    return [row["followee_id"] for row in rows]


async def _among(
    db: Queryable, searched: SearchedText, viewer_id: int | None, user_ids: Sequence[int]
) -> Sequence[Row]:
    return await db.fetch(
        f"""
        WITH s AS MATERIALIZED (
            SELECT s.shard, s.user_id, s.name, s.display, s.fame, {_fit(4)} FROM user_search s
            WHERE s.shard = ANY($2::integer[]) AND s.user_id = ANY($3::bigint[]))
        SELECT {_FOUND} FROM s JOIN users a ON a.id = s.user_id AND a.shard = s.shard
        WHERE a.shard = ANY($2::integer[]) AND {_matches(7)} AND {_VISIBLE}
        ORDER BY s.fit, s.fame DESC, s.user_id DESC LIMIT {MAX_FOUND}""",
        viewer_id,
        shards(user_ids),
        list(user_ids),
        *_fit_of(searched),
        searched.patterns,
    )


async def _by_parts(db: Queryable, searched: SearchedText, viewer_id: int | None) -> Sequence[Row]:
    # All that fit come from the index, and then the best of them. The planner, left to choose, may walk another index
    # in the order of the result and compare millions of names. Each pattern is a parameter of its own, because the
    # index is not used for LIKE ALL.
    patterns = searched.patterns
    matches = " AND ".join(f"{_WORDS} LIKE ${5 + place}" for place in range(len(patterns)))
    return await db.fetch(
        f"""
        /* all shards: names are found by their parts */
        WITH hits AS MATERIALIZED (
            SELECT s.shard, s.user_id, s.fame, {_fit(2)} FROM user_search s WHERE {matches}),
        s AS MATERIALIZED (SELECT * FROM hits ORDER BY fit, fame DESC, user_id DESC LIMIT {_CANDIDATES})
        SELECT {_FOUND} FROM s JOIN users a ON a.id = s.user_id AND a.shard = s.shard WHERE {_VISIBLE}
        ORDER BY s.fit, s.fame DESC, s.user_id DESC LIMIT {MAX_FOUND}""",
        viewer_id,
        *_fit_of(searched),
        *patterns,
    )


async def _by_beginning(db: Queryable, searched: SearchedText, viewer_id: int | None) -> Sequence[Row]:
    # Up to three letters are in an index by fame. A longer beginning is among the names with its first three letters.
    name, display = searched.name or searched.key, searched.key
    best = [
        f"SELECT s.shard, s.user_id, s.fame, {_fit(2)} FROM user_search s "
        f"WHERE left(s.{column}, {min(len(text), _INDEXED)}) = left(${place}, {_INDEXED}) "
        f"{f'AND starts_with(s.{column}, ${place})' if len(text) > _INDEXED else ''} "
        f"ORDER BY s.fame DESC, s.user_id DESC LIMIT {_CANDIDATES}"
        for column, text, place in (("name", name, 5), ("display", display, 6))
    ]
    return await db.fetch(
        f"""
        /* all shards: names are found by their beginning */
        WITH names AS MATERIALIZED ({best[0]}), displays AS MATERIALIZED ({best[1]}),
        s AS MATERIALIZED (
            SELECT * FROM names UNION SELECT * FROM displays
            ORDER BY fit, fame DESC, user_id DESC LIMIT {_CANDIDATES})
        SELECT {_FOUND} FROM s JOIN users a ON a.id = s.user_id AND a.shard = s.shard WHERE {_VISIBLE}
        ORDER BY s.fit, s.fame DESC, s.user_id DESC LIMIT {MAX_FOUND}""",
        viewer_id,
        *_fit_of(searched),
        name,
        display,
    )


async def _similar(db: Queryable, searched: SearchedText, viewer_id: int | None) -> Sequence[Row]:
    columns, order = "s.shard, s.user_id, s.fame", "s.fame DESC, s.user_id DESC"
    closest = similar(columns, "user_search s", _WORDS, order, typed="$2", least="$3")
    return await db.fetch(
        f"""
        /* all shards: names are found by their parts */
        WITH closest AS MATERIALIZED ({closest} LIMIT {_CANDIDATES}),
        s AS MATERIALIZED (SELECT *, (100 - similarity * 100)::integer AS fit FROM closest)
        SELECT {_FOUND} FROM s JOIN users a ON a.id = s.user_id AND a.shard = s.shard WHERE {_VISIBLE}
        ORDER BY s.fit, s.fame DESC, s.user_id DESC LIMIT {_SIMILAR}""",
        viewer_id,
        searched.key,
        threshold(searched.key),
    )


def _fit(first: int) -> str:
    """Return the column `fit`; its three parameters, see `_fit_of`, begin with the number `first`."""
    name, key, words = (f"${first + place}" for place in range(3))
    return (
        f"CASE WHEN s.name = {name}::text THEN {_Fit.EQUAL:d} "
        f"WHEN starts_with(s.name, {name}::text) AND {name}::text <> '' OR starts_with(s.display, {key}::text) "
        f"THEN {_Fit.BEGINNING:d} "
        f"WHEN {_WORDS} LIKE ALL ({words}::text[]) THEN {_Fit.WORDS:d} ELSE {_Fit.PARTS:d} END AS fit"
    )


def _fit_of(searched: SearchedText) -> tuple[str, str, list[str]]:
    return searched.name, searched.key, [f"% {key}%" for key in searched.keys]


def _matches(place: int) -> str:
    return f"{_WORDS} LIKE ALL (${place}::text[])"


def _append(
    results: list[FoundUser],
    rows: Sequence[Row],
    searched: SearchedText,
    tier: _Tier,
    followed: Sequence[int] = (),
) -> None:
    """Append the users of rows, except those that are in the list, and those who do not have all words."""
    listed, following = {one.user.id for one in results}, set(followed)
    fits = searched.resembles if tier is _Tier.SIMILAR else searched.fits
    for row in rows:
        user = user_summary_of(row)
        if user.id in listed or not (searched.is_certain or fits(user.username, user.display_name)):
            continue
        named = row["fit"] == _Fit.EQUAL and tier is not _Tier.SIMILAR
        results.append(
            FoundUser(
                user=user,
                following=tier is _Tier.FOLLOWED or user.id in following,
                position=(_Tier.NAMED if named else tier, row["fit"], -row["fame"], -user.id),
            )
        )
