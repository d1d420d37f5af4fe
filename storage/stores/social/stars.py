"""Stars: authors whose photos are pulled into the feeds, because they have too many followers to insert into each.

A star has a row, which says how far a promotion or demotion is. `storage.feeds.star_logs` describes what is in Redis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from storage import ids
from storage.events import StarChunk
from storage.models import StarState
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard, shards
from storage.postgres.visibility import kept

_AUTHOR = f"shard = {shard('$1')} AND author_id = $1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How an author's photos reach the followers; `state` is None for an author who is no star.

    `change_id` names the last promotion or demotion; it is 0 if there was none.
    """

    followers: int
    state: StarState | None = None
    change_id: int = 0
    since_id: int | None = None

    def announces(self, photo_id: int) -> bool:
        """Return whether a photo is announced, for the feeds to pull it. Otherwise it is inserted into each.

        Photos from before the promotion are inserted, also if they become ready late: which photos are announced does
        not depend on when a worker handles them.
        """
        return self.state is StarState.STAR and self.since_id is not None and photo_id >= self.since_id


async def standing(db: Queryable, author_id: int) -> Standing:
    """Return how an author's photos reach the followers; a deleted account has none, so it is never promoted.

    One whose deletion can be undone stays what it is.
    """
    row = await db.fetchrow(
        f"""
        SELECT CASE WHEN {kept("u")} THEN u.followers ELSE 0 END AS followers, s.state, s.change_id, s.since_id
        FROM users u LEFT JOIN stars s ON s.shard = {shard("$1")} AND s.author_id = $1
        WHERE u.shard = {shard("$1")} AND u.id = $1""",
        author_id,
    )
    if row is None:
        return Standing(followers=0)
    if row["state"] is None:
        return Standing(followers=row["followers"])
    state = StarState(row["state"])
    return Standing(followers=row["followers"], state=state, change_id=row["change_id"], since_id=row["since_id"])


async def among(db: Queryable, author_ids: Sequence[int]) -> Sequence[int]:
    """Return which of these authors are stars whose announcements their followers' feeds pull."""
    rows = await db.fetch(
        "SELECT author_id FROM stars "
        "WHERE shard = ANY($1::integer[]) AND author_id = ANY($2::bigint[]) AND state <> 'demoting'",
        shards(author_ids),
        list(author_ids),
    )
    return [row["author_id"] for row in rows]


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedStar:
    """A star for the operator; `username` is the last one of an account that is deleted."""

    author_id: int
    username: str
    deleted: bool
    followers: int
    state: StarState
    change_id: int

    @property
    def is_changing(self) -> bool:
        """Return whether a promotion or demotion is under way."""
        return self.state is not StarState.STAR


async def listed(db: Queryable, *, limit: int) -> list[ListedStar]:
    """Return the stars with the most followers first, and promotions and demotions under way before all others."""
    rows = await db.fetch(
        """
        /* all shards: a list for the operator */
        SELECT s.author_id, a.username::text, a.deleted_at IS NOT NULL AS deleted, a.followers, s.state, s.change_id
        FROM stars s JOIN users a ON a.id = s.author_id AND a.shard = s.shard
        ORDER BY s.state = 'star', a.followers DESC, s.author_id LIMIT $1""",
        limit,
    )
    return [ListedStar(**{**dict(row), "state": StarState(row["state"])}) for row in rows]


async def numbers(db: Queryable) -> dict[StarState, int]:
    """Return how many stars are in each state."""
    rows = await db.fetch("/* all shards: the janitor's */ SELECT state, count(*) AS number FROM stars GROUP BY state")
    return dict.fromkeys(StarState, 0) | {StarState(row["state"]): row["number"] for row in rows}


async def begin(tx: Transaction, author_id: int, state: StarState, *, after: Standing) -> bool:
    """Begin a promotion or demotion, or begin it again; emits `StarChunk`.

    Return False if another worker has begun one since `after` was read.
    """
    change_id = tx.new_id(ids.shard_of(author_id))
    changed = await tx.execute(
        f"""
        INSERT INTO stars AS s (shard, author_id, state, change_id, since_id) VALUES ({shard("$1")}, $1, $2, $3, $5)
        ON CONFLICT (author_id, shard) DO UPDATE SET state = $2, change_id = $3 WHERE s.change_id = $4""",
        author_id,
        state.value,
        change_id,
        after.change_id,
        after.since_id,
    )
    if changed:
        tx.emit(StarChunk(author_id=author_id, change_id=change_id))
    return bool(changed)


async def end(tx: Transaction, author_id: int) -> None:
    """Begin the demotion of an account that is deleted, if it is a star, whatever its state; emits `StarChunk`."""
    change_id = tx.new_id(ids.shard_of(author_id))
    if await tx.execute(f"UPDATE stars SET state = 'demoting', change_id = $2 WHERE {_AUTHOR}", author_id, change_id):
        tx.emit(StarChunk(author_id=author_id, change_id=change_id))


async def promoted(tx: Transaction, author_id: int, change_id: int) -> bool:
    """Complete a promotion: photos that are uploaded from now on are announced. False if it is not under way."""
    return bool(
        await tx.execute(
            f"UPDATE stars SET state = 'star', since_id = $3 "
            f"WHERE {_AUTHOR} AND change_id = $2 AND state = 'promoting'",
            author_id,
            change_id,
            tx.new_id(ids.shard_of(author_id)),
        )
    )


async def demoted(tx: Transaction, author_id: int, change_id: int) -> bool:
    """Complete a demotion. False if it is not under way."""
    return bool(
        await tx.execute(
            f"DELETE FROM stars WHERE {_AUTHOR} AND change_id = $2 AND state = 'demoting'", author_id, change_id
        )
    )
