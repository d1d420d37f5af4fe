"""Relations between users: follows, follow requests, blocks and mutes.

Every change of a pair of users first locks both of their rows, the smaller id before the greater. So the
counters are correct, a concurrent block and follow cannot both succeed, and transactions cannot deadlock.
"""

from __future__ import annotations

from storage.errors import ConflictError, NotFoundError
from storage.events import UserBlocked, UserFollowed, UserMuted, UserUnblocked, UserUnfollowed
from storage.models import Relation, User
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import USER, user_of
from storage.postgres.visibility import KNOWN, PRESENCE, PUBLISHED, unblocked

Bound = tuple[int, int]  # (shard, follower id): a point in the order of fan-out

_START: Bound = (-1, -1)
_END: Bound = (1 << 62, (1 << 63) - 1)


async def follow(tx: Transaction, follower_id: int, followee_id: int) -> bool:
    """Follow a user, or send a follow request to a private one; return whether the user is followed now.

    Emits `UserFollowed` if something changed. Raises `NotFoundError("user")` for an unknown user or if either
    blocks the other, and `ConflictError` cannot_follow_yourself.
    """
    if follower_id == followee_id:
        raise ConflictError("cannot_follow_yourself", "You cannot follow yourself.")
    await _lock(tx, follower_id, followee_id)
    row = await tx.fetchrow(
        """
        SELECT a.private,
            EXISTS (SELECT FROM follows WHERE follower_id = $1 AND followee_id = $2) AS following,
            EXISTS (SELECT FROM follow_requests WHERE follower_id = $1 AND followee_id = $2) AS requested,
            EXISTS (SELECT FROM blocks WHERE (blocker_id = $1 AND blocked_id = $2)
                                          OR (blocker_id = $2 AND blocked_id = $1)) AS blocked
        FROM users a WHERE a.id = $2""",
        follower_id,
        followee_id,
    )
    if row is None or row["blocked"]:
        raise NotFoundError("user")
    if row["following"]:
        return True
    if row["private"]:
        new = await tx.execute(
            "INSERT INTO follow_requests (follower_id, followee_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            follower_id,
            followee_id,
        )
        if new:
            tx.emit(UserFollowed(follower_id=follower_id, followee_id=followee_id, requested=True))
        return False
    if row["requested"]:
        await _remove_request(tx, follower_id, followee_id)
    await _add_follow(tx, follower_id, followee_id)
    return True


async def unfollow(tx: Transaction, follower_id: int, followee_id: int) -> bool:
    """Remove a follow or a follow request; return False if there was neither.

    Emits `UserUnfollowed` if something changed.
    """
    await _lock(tx, follower_id, followee_id)
    return await _end_follow(tx, follower_id, followee_id)


async def accept(tx: Transaction, followee_id: int, follower_id: int) -> None:
    """Accept a follow request; emits `UserFollowed`, raises `NotFoundError("request")`."""
    await _lock(tx, follower_id, followee_id)
    if not await _remove_request(tx, follower_id, followee_id):
        raise NotFoundError("request")
    await _add_follow(tx, follower_id, followee_id, accepted=True)


async def decline(tx: Transaction, followee_id: int, follower_id: int) -> None:
    """Decline a follow request without a notification; emits `UserUnfollowed`, raises `NotFoundError("request")`."""
    if not await _remove_request(tx, follower_id, followee_id):
        raise NotFoundError("request")
    tx.emit(UserUnfollowed(follower_id=follower_id, followee_id=followee_id))


async def grant_requests(tx: Transaction, followee_id: int, *, limit: int) -> list[int]:
    """Grant up to `limit` requests to follow an account that is public now; return the new followers.

    Emits nothing; grants nothing if the account is private or deleted. [] means that no request can be granted now.
    """
    found = await tx.fetch(
        """
        SELECT r.follower_id FROM follow_requests r JOIN users a ON a.id = r.follower_id
        WHERE r.followee_id = $1 AND a.deleted_at IS NULL ORDER BY r.follower_id LIMIT $2""",
        followee_id,
        limit,
    )
    # Every pair changes under the locks of both accounts, and all of them are taken in one order, as by `_lock`.
    locked = await tx.fetch(
        "SELECT id, private FROM users WHERE id = ANY($1::bigint[]) AND deleted_at IS NULL ORDER BY id "
        "FOR NO KEY UPDATE",
        [followee_id, *(row["follower_id"] for row in found)],
    )
    if not any(row["id"] == followee_id and not row["private"] for row in locked):
        return []
    granted = []
    for follower_id in [row["id"] for row in locked if row["id"] != followee_id]:
        if await _remove_request(tx, follower_id, followee_id):
            await _insert_follow(tx, follower_id, followee_id)
            granted.append(follower_id)
    return granted


async def block(tx: Transaction, blocker_id: int, blocked_id: int) -> bool:
    """Block a user and remove follows and requests in both directions; return False if it was blocked already.

    Emits `UserUnfollowed` for each removed follow or request, then `UserBlocked`.
    """
    if blocker_id == blocked_id:
        raise ConflictError("cannot_block_yourself", "You cannot block yourself.")
    await _lock(tx, blocker_id, blocked_id)
    new = await tx.execute(
        "INSERT INTO blocks (blocker_id, blocked_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", blocker_id, blocked_id
    )
    if not new:
        return False
    await _end_follow(tx, blocker_id, blocked_id)
    await _end_follow(tx, blocked_id, blocker_id)
    tx.emit(UserBlocked(blocker_id=blocker_id, blocked_id=blocked_id))
    return True


async def unblock(tx: Transaction, blocker_id: int, blocked_id: int) -> bool:
    """Remove a block, without restoring follows; return False if there was none. Emits `UserUnblocked`."""
    deleted = await tx.execute("DELETE FROM blocks WHERE blocker_id = $1 AND blocked_id = $2", blocker_id, blocked_id)
    if deleted:
        tx.emit(UserUnblocked(blocker_id=blocker_id, blocked_id=blocked_id))
    return bool(deleted)


async def mute(tx: Transaction, muter_id: int, muted_id: int) -> bool:
    """Hide a user's photos from the feed and their activity from the inbox; return False if muted already."""
    if muter_id == muted_id:
        raise ConflictError("cannot_mute_yourself", "You cannot mute yourself.")
    await _lock(tx, muter_id, muted_id)
    new = await tx.execute(
        "INSERT INTO mutes (muter_id, muted_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", muter_id, muted_id
    )
    if new:
        tx.emit(UserMuted(muter_id=muter_id, muted_id=muted_id, muted=True))
    return bool(new)


async def unmute(tx: Transaction, muter_id: int, muted_id: int) -> bool:
    """Remove a mute; return False if there was none."""
    deleted = await tx.execute("DELETE FROM mutes WHERE muter_id = $1 AND muted_id = $2", muter_id, muted_id)
    if deleted:
        tx.emit(UserMuted(muter_id=muter_id, muted_id=muted_id, muted=False))
    return bool(deleted)


async def relation(db: Queryable, viewer_id: int, other_id: int) -> Relation:
    """Return a viewer's relation to another user; every field is False for the viewer's own account."""
    row = await db.fetchrow(f"SELECT {relation_to('$2')}", viewer_id, other_id)
    return Relation(**dict(row or {}))


def relation_to(other_id: str, prefix: str = "") -> str:
    """Return the columns of the relation of the viewer $1 to `other_id`, an SQL expression; `prefix` begins each."""
    return (
        f"EXISTS (SELECT FROM follows WHERE follower_id = $1 AND followee_id = {other_id}) AS {prefix}following, "
        f"EXISTS (SELECT FROM follow_requests WHERE follower_id = $1 AND followee_id = {other_id}) "
        f"AS {prefix}requested, "
        f"EXISTS (SELECT FROM follows WHERE follower_id = {other_id} AND followee_id = $1) AS {prefix}followed_by, "
        f"EXISTS (SELECT FROM blocks WHERE blocker_id = $1 AND blocked_id = {other_id}) AS {prefix}blocking, "
        f"EXISTS (SELECT FROM mutes WHERE muter_id = $1 AND muted_id = {other_id}) AS {prefix}muting"
    )


async def blocked(db: Queryable, one_id: int, other_id: int) -> bool:
    """Return whether either of two users blocks the other."""
    found: bool = await db.fetchval(f"SELECT NOT ({unblocked('$2')})", one_id, other_id)
    return found


async def may_see(db: Queryable, viewer_id: int | None, owner_id: int) -> bool:
    """Return whether a viewer, None for a visitor, may see an account's photos."""
    return await _is_visible(db, PUBLISHED, viewer_id, owner_id)


async def may_see_photos_and_presence(db: Queryable, viewer_id: int, owner_id: int) -> tuple[bool, bool]:
    """Return whether a viewer may see an account's photos, and whether its presence."""
    row = await db.fetchrow(
        f"SELECT ({PUBLISHED}) AS photos, ({PRESENCE}) AS presence FROM users a WHERE a.id = $2", viewer_id, owner_id
    )
    return (False, False) if row is None else (row["photos"], row["presence"])


async def may_see_presence(db: Queryable, viewer_id: int | None, owner_id: int) -> bool:
    """Return whether a viewer, None for a visitor, may see a user's presence."""
    return await _is_visible(db, PRESENCE, viewer_id, owner_id)


async def separated_ids(db: Queryable, user_id: int) -> list[int]:
    """Return the users that a user blocks, and those that block the user."""
    rows = await db.fetch(
        "SELECT blocked_id AS id FROM blocks WHERE blocker_id = $1 "
        "UNION SELECT blocker_id FROM blocks WHERE blocked_id = $1",
        user_id,
    )
    return [row["id"] for row in rows]


async def followers(
    db: Queryable, user_id: int, *, before: int | None, limit: int, viewer_id: int | None = None
) -> list[User]:
    """Return followers, newest account first, with ids below `before`, without accounts hidden from the viewer."""
    return await _users(
        db, "follows f JOIN users a ON a.id = f.follower_id", "f.followee_id", "f.follower_id",
        (viewer_id, user_id, before, limit),
    )  # fmt: skip


async def following(
    db: Queryable, user_id: int, *, before: int | None, limit: int, viewer_id: int | None = None
) -> list[User]:
    """Return followed users, newest account first, with ids below `before`, without those hidden from the viewer."""
    return await _users(
        db, "follows f JOIN users a ON a.id = f.followee_id", "f.follower_id", "f.followee_id",
        (viewer_id, user_id, before, limit),
    )  # fmt: skip


async def requests(db: Queryable, user_id: int, *, before: int | None, limit: int) -> list[User]:
    """Return the users with an open follow request to a private user, newest account first, ids below `before`."""
    return await _users(
        db, "follow_requests f JOIN users a ON a.id = f.follower_id", "f.followee_id", "f.follower_id",
        (user_id, user_id, before, limit),
    )  # fmt: skip


async def follower_ids(
    db: Queryable, author_id: int, *, after: Bound | None, until: Bound | None, limit: int
) -> list[int]:
    """Return followers by (shard, id), after `after` up to and including `until`; muters of the author are left out."""
    rows = await db.fetch(
        """
        SELECT f.follower_id FROM follows f
        WHERE f.followee_id = $1
          AND ((f.follower_id & 1023), f.follower_id) > ($2::bigint, $3::bigint)
          AND ((f.follower_id & 1023), f.follower_id) <= ($4::bigint, $5::bigint)
          AND NOT EXISTS (SELECT FROM mutes m WHERE m.muter_id = f.follower_id AND m.muted_id = $1)
        ORDER BY (f.follower_id & 1023), f.follower_id LIMIT $6""",
        author_id,
        *(after or _START),
        *(until or _END),
        limit,
    )
    return [row["follower_id"] for row in rows]


async def _is_visible(db: Queryable, condition: str, viewer_id: int | None, owner_id: int) -> bool:
    visible: bool = await db.fetchval(
        f"SELECT EXISTS (SELECT FROM users a WHERE a.id = $2 AND {condition})", viewer_id, owner_id
    )
    return visible


async def _lock(tx: Transaction, one_id: int, other_id: int) -> None:
    """Lock two accounts in the order of their ids; raise `NotFoundError("user")` unless both exist."""
    rows = await tx.fetch(
        "SELECT id FROM users WHERE id = ANY($1::bigint[]) AND deleted_at IS NULL ORDER BY id FOR NO KEY UPDATE",
        [one_id, other_id],
    )
    if len(rows) != 2:
        raise NotFoundError("user")


async def _add_follow(tx: Transaction, follower_id: int, followee_id: int, *, accepted: bool = False) -> None:
    if await _insert_follow(tx, follower_id, followee_id):
        tx.emit(UserFollowed(follower_id=follower_id, followee_id=followee_id, accepted=accepted))


async def _insert_follow(tx: Transaction, follower_id: int, followee_id: int) -> bool:
    new: bool = await tx.fetchval(
        f"""
        WITH follow AS (
            INSERT INTO follows (follower_id, followee_id) VALUES ($1, $2)
            ON CONFLICT DO NOTHING RETURNING follower_id),
        counted AS ({_count(1)})
        SELECT EXISTS (SELECT FROM follow)""",
        follower_id,
        followee_id,
    )
    return new


async def _end_follow(tx: Transaction, follower_id: int, followee_id: int) -> bool:
    """Remove a follow or a follow request and emit `UserUnfollowed`; return False if there was neither."""
    ended: bool = await tx.fetchval(
        f"""
        WITH request AS (
            DELETE FROM follow_requests WHERE followee_id = $2 AND follower_id = $1 RETURNING follower_id),
        follow AS (DELETE FROM follows WHERE follower_id = $1 AND followee_id = $2 RETURNING follower_id),
        counted AS ({_count(-1)})
        SELECT EXISTS (SELECT FROM request) OR EXISTS (SELECT FROM follow)""",
        follower_id,
        followee_id,
    )
    if ended:
        tx.emit(UserUnfollowed(follower_id=follower_id, followee_id=followee_id))
    return ended


async def _remove_request(tx: Transaction, follower_id: int, followee_id: int) -> bool:
    return bool(
        await tx.execute(
            "DELETE FROM follow_requests WHERE followee_id = $2 AND follower_id = $1", follower_id, followee_id
        )
    )


def _count(by: int) -> str:
    """Return the statement that changes the counters of follower $1 and followee $2, if `follow` has a row."""
    return f"""
        UPDATE users SET following = following + CASE WHEN id = $1 THEN {by} ELSE 0 END,
                         followers = followers + CASE WHEN id = $2 THEN {by} ELSE 0 END
        WHERE id IN ($1, $2) AND EXISTS (SELECT FROM follow)"""


async def _users(
    db: Queryable, source: str, owner: str, other: str, args: tuple[int | None, int, int | None, int]
) -> list[User]:
    rows = await db.fetch(
        f"SELECT {USER} FROM {source} WHERE {owner} = $2 AND ($3::bigint IS NULL OR {other} < $3) AND {KNOWN} "
        f"ORDER BY {other} DESC LIMIT $4",
        *args,
    )
    return [user_of(row) for row in rows]
