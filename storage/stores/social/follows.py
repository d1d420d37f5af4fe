"""Follows and requests to follow.

A follow is two rows, one in the shard of each user (`following` and `followers`); a request is in the shard of the
followee. Every change of a pair of users first locks both accounts (`storage.stores.account_locks`). So the rows and
counters of both sides agree, and a block and a follow at the same moment cannot both succeed.
"""

from __future__ import annotations

from collections.abc import Sequence

from storage.errors import ConflictError, NotFoundError
from storage.events import UserFollowed, UserUnfollowed
from storage.models import PhotoAudience
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard
from storage.stores import account_locks
from storage.stores.discovery.search_index import fame
from storage.stores.social import close_friends

Bound = tuple[int, int]  # (shard, follower id): a point in the order of fan-out

_START: Bound = (-1, -1)
_END: Bound = (1 << 62, (1 << 63) - 1)
_FOLLOWER, _FOLLOWEE = shard("$1"), shard("$2")
# The fame of the followee in `counted`, which changes with each doubling of the followers.
_FAMED = f"""
        famed AS (
            UPDATE user_search s SET fame = {fame("counted.followers")}
            FROM counted WHERE s.shard = {_FOLLOWEE} AND s.user_id = counted.id
              AND s.fame <> {fame("counted.followers")})""".strip()


async def follow(tx: Transaction, follower_id: int, followee_id: int) -> bool:
    """Follow a user, or send a follow request to a private one; return whether the user is followed now.

    Emits `UserFollowed` if something changed. Raises `NotFoundError("user")` for an unknown user or if either
    blocks the other, and `ConflictError` cannot_follow_yourself.
    """
    if follower_id == followee_id:
        raise ConflictError("cannot_follow_yourself", "You cannot follow yourself.")
    await account_locks.lock_two(tx, follower_id, followee_id)
    row = await tx.fetchrow(
        f"""
        SELECT a.private,
            EXISTS (SELECT 1 FROM followers f
                    WHERE f.shard = {_FOLLOWEE} AND f.followee_id = $2 AND f.follower_id = $1) AS following,
            EXISTS (SELECT 1 FROM follow_requests r
                    WHERE r.shard = {_FOLLOWEE} AND r.followee_id = $2 AND r.follower_id = $1) AS requested,
            EXISTS (SELECT 1 FROM blocks b
                    WHERE b.shard = {_FOLLOWEE} AND b.owner_id = $2 AND b.other_id = $1) AS blocked
        FROM users a WHERE a.shard = {_FOLLOWEE} AND a.id = $2 AND a.suspended_at IS NULL""",
        follower_id,
        followee_id,
    )
    if row is None or row["blocked"]:
        raise NotFoundError("user")
    if row["following"]:
        return True
    if row["private"]:
        new = await tx.execute(
            f"INSERT INTO follow_requests (shard, follower_id, followee_id) VALUES ({_FOLLOWEE}, $1, $2) "
            "ON CONFLICT DO NOTHING",
            follower_id,
            followee_id,
        )
        if new:
            tx.emit(UserFollowed(follower_id=follower_id, followee_id=followee_id, requested=True))
        return False
    if row["requested"]:
        await _remove_request(tx, follower_id, followee_id)
    await _add(tx, follower_id, followee_id)
    tx.emit(UserFollowed(follower_id=follower_id, followee_id=followee_id))
    return True


async def unfollow(tx: Transaction, follower_id: int, followee_id: int) -> bool:
    """Remove a follow or a follow request; return False if there was neither.

    Emits `UserUnfollowed` if something changed.
    """
    await account_locks.lock_two(tx, follower_id, followee_id)
    return await end(tx, follower_id, followee_id)


async def end(tx: Transaction, follower_id: int, followee_id: int) -> bool:
    """Remove a follow or a follow request of two locked accounts, as `unfollow` does."""
    requested, followed = await _remove_followers_side(tx, follower_id, followee_id)
    if followed:
        await tx.execute(
            f"""
            WITH follow AS (
                DELETE FROM following WHERE shard = {_FOLLOWER} AND follower_id = $1 AND followee_id = $2
                RETURNING follower_id)
            UPDATE users SET following = following - 1
            FROM follow WHERE users.shard = {_FOLLOWER} AND users.id = follow.follower_id""",
            follower_id,
            followee_id,
        )
    if requested or followed:
        tx.emit(UserUnfollowed(follower_id=follower_id, followee_id=followee_id))
    return requested or followed


async def accept(tx: Transaction, followee_id: int, follower_id: int) -> None:
    """Accept a follow request; emits `UserFollowed`, raises `NotFoundError("request")`."""
    await account_locks.lock_two(tx, follower_id, followee_id)
    if not await _remove_request(tx, follower_id, followee_id):
        raise NotFoundError("request")
    if await _add(tx, follower_id, followee_id):
        tx.emit(UserFollowed(follower_id=follower_id, followee_id=followee_id, accepted=True))


async def decline(tx: Transaction, followee_id: int, follower_id: int) -> None:
    """Decline a follow request without a notification; emits `UserUnfollowed`, raises `NotFoundError("request")`."""
    if not await _remove_request(tx, follower_id, followee_id):
        raise NotFoundError("request")
    tx.emit(UserUnfollowed(follower_id=follower_id, followee_id=followee_id))


async def grant_requests(tx: Transaction, followee_id: int, *, limit: int) -> list[int] | None:
    """Grant up to `limit` requests to follow an account that is public now; return the new followers.

    Emits nothing. Requests of deleted accounts are deleted, so the list may be empty. None means that no request is
    left, or none can be granted now because the account is private or deleted.
    """
    found = await tx.fetch(
        f"SELECT follower_id FROM follow_requests WHERE shard = {shard('$1')} AND followee_id = $1 "
        "ORDER BY follower_id LIMIT $2",
        followee_id,
        limit,
    )
    wanted = [row["follower_id"] for row in found]
    if not wanted:
        return None
    # All accounts are locked in one order, as by every change of a pair.
    locked = await account_locks.lock(tx, [followee_id, *wanted])
    if followee_id not in locked or not await _is_public(tx, followee_id):
        return None
    granted = []
    for follower_id in wanted:
        if await _remove_request(tx, follower_id, followee_id) and follower_id in locked:
            await _add(tx, follower_id, followee_id)
            granted.append(follower_id)
    return granted


async def follower_ids(
    db: Queryable, author_id: int, *, after: Bound | None, until: Bound | None, limit: int
) -> list[int]:
    """Return followers by (shard, id), after `after` up to and including `until`; muters of the author are left out."""
    rows = await db.fetch(
        f"""
        SELECT f.follower_id FROM followers f
        WHERE f.shard = {shard("$1")} AND f.followee_id = $1
          AND ((f.follower_id & 1023), f.follower_id) > ($2::bigint, $3::bigint)
          AND ((f.follower_id & 1023), f.follower_id) <= ($4::bigint, $5::bigint)
          AND NOT EXISTS (SELECT 1 FROM mutes m WHERE m.shard = {shard("$1")}
              AND m.owner_id = $1 AND m.other_id = f.follower_id AND NOT m.outgoing)
        ORDER BY (f.follower_id & 1023), f.follower_id LIMIT $6""",
        author_id,
        *(after or _START),
        *(until or _END),
        limit,
    )
    return [row["follower_id"] for row in rows]


async def readers(
    db: Queryable, author_id: int, user_ids: Sequence[int], *, audience: PhotoAudience = PhotoAudience.PUBLIC
) -> list[int]:
    """Return which of these users follow an author, do not mute the author, and belong to the audience."""
    if audience is PhotoAudience.ONLY_ME:
        return []
    if audience is PhotoAudience.CLOSE_FRIENDS:
        user_ids = await close_friends.among(db, author_id, user_ids)
    rows = await db.fetch(
        f"""
        SELECT f.follower_id FROM followers f
        WHERE f.shard = {shard("$1")} AND f.followee_id = $1 AND f.follower_id = ANY($2::bigint[])
          AND NOT EXISTS (SELECT 1 FROM mutes m WHERE m.shard = {shard("$1")}
              AND m.owner_id = $1 AND m.other_id = f.follower_id AND NOT m.outgoing)""",
        author_id,
        list(user_ids),
    )
    return [row["follower_id"] for row in rows]


async def _is_public(tx: Transaction, user_id: int) -> bool:
    public: bool | None = await tx.fetchval(
        f"SELECT NOT private FROM users WHERE shard = {shard('$1')} AND id = $1", user_id
    )
    return bool(public)


async def _add(tx: Transaction, follower_id: int, followee_id: int) -> bool:
    """Insert both rows of a follow and count it; return False if it exists."""
    new = await tx.fetchval(
        f"""
        WITH follow AS (
            INSERT INTO followers (shard, followee_id, follower_id) VALUES ({_FOLLOWEE}, $2, $1)
            ON CONFLICT DO NOTHING RETURNING followee_id),
        counted AS (
            UPDATE users SET followers = followers + 1
            FROM follow WHERE users.shard = {_FOLLOWEE} AND users.id = follow.followee_id
            RETURNING users.id, users.followers),
        {_FAMED}
        SELECT EXISTS (SELECT 1 FROM counted)""",
        follower_id,
        followee_id,
    )
    if not new:
        return False
    await tx.execute(
        f"""
        WITH follow AS (
            INSERT INTO following (shard, follower_id, followee_id) VALUES ({_FOLLOWER}, $1, $2)
            ON CONFLICT DO NOTHING RETURNING follower_id)
        UPDATE users SET following = following + 1
        FROM follow WHERE users.shard = {_FOLLOWER} AND users.id = follow.follower_id""",
        follower_id,
        followee_id,
    )
    return True


async def _remove_followers_side(tx: Transaction, follower_id: int, followee_id: int) -> tuple[bool, bool]:
    """Delete a request and a follow in the shard of the followee; return whether there was each of them."""
    (row,) = await tx.fetch(
        f"""
        WITH request AS (
            DELETE FROM follow_requests WHERE shard = {_FOLLOWEE} AND followee_id = $2 AND follower_id = $1
            RETURNING follower_id),
        follow AS (
            DELETE FROM followers WHERE shard = {_FOLLOWEE} AND followee_id = $2 AND follower_id = $1
            RETURNING followee_id),
        counted AS (
            UPDATE users SET followers = followers - 1
            FROM follow WHERE users.shard = {_FOLLOWEE} AND users.id = follow.followee_id
            RETURNING users.id, users.followers),
        {_FAMED}
        SELECT EXISTS (SELECT 1 FROM request) AS requested, EXISTS (SELECT 1 FROM counted) AS followed""",
        follower_id,
        followee_id,
    )
    return row["requested"], row["followed"]


async def _remove_request(tx: Transaction, follower_id: int, followee_id: int) -> bool:
    return bool(
        await tx.execute(
            f"DELETE FROM follow_requests WHERE shard = {_FOLLOWEE} AND followee_id = $2 AND follower_id = $1",
            follower_id,
            followee_id,
        )
    )
