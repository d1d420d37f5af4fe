"""Accounts: create, find and delete them; `storage.stores.accounts.account_fields` changes them.

A deleted account keeps its row, with `deleted_at`. Its names are free again at once, and nothing of it is shown any
more. What it has left may be a million rows, so these are deleted later in batches (`storage.stores.accounts.erasure`).
While its deletion can be undone, it has `deletion_due_at`, too (`storage.stores.accounts.account_deletion`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from storage import ids, search_text
from storage.errors import ConflictError, NotFoundError
from storage.events import (
    AccountDeleted,
    ActorRemoved,
    MediaPurge,
    ProfileImageRemoved,
    UserChanged,
)
from storage.models import Role, User
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import USER, Row, user_of
from storage.postgres.sharding import shard
from storage.postgres.visibility import kept, profile
from storage.stores import account_lists, account_locks
from storage.stores.accounts import email_addresses, erasure, usernames
from storage.stores.credentials import identities, oauth_clients, sessions
from storage.stores.social import stars

T = TypeVar("T")

# Without a sign of the user. A user who reads all the time is seen after at most two hours: each process tries once an
# hour, and may have tried a moment before the last hour was over.
NEW_VISIT = timedelta(hours=3)
_AFTER_ANY_TEXT = "\U0010ffff"  # sorts after every character of a username
# The account of the parameter $1, or $2 where $1 is the viewer.
_ACCOUNT = f"shard = {shard('$1')} AND id = $1"
_VIEWED = f"a.shard = {shard('$2')} AND a.id = $2"
_CREDENTIALS = f"""
SELECT {USER}, a.password_hash, a.suspended_at IS NOT NULL AS suspended, a.deletion_due_at, EXISTS (
    SELECT 1 FROM totp t WHERE t.shard = {shard("$1")} AND t.user_id = $1 AND t.confirmed_at IS NOT NULL
    ) AS second_factor
FROM users a
WHERE a.shard = {shard("$1")} AND a.id = $1 AND (a.deleted_at IS NULL OR a.deletion_due_at > now())"""


async def create(
    tx: Transaction,
    *,
    username: str,
    email: str,
    password_hash: str,
    display_name: str,
    role: Role = Role.USER,
    pending: bool = False,
) -> User:
    """Create an account in a random shard; raise `ConflictError` username_taken.

    The address is claimed and counts as verified; raises `ConflictError` email_taken if another account has claimed it.
    If it is `pending`, it may be another account's as well.
    """
    user_id = tx.new_id(ids.draw_shard())
    await usernames.take(tx, username, user_id)
    if pending:
        await email_addresses.hold(tx, email, user_id)
    elif not await email_addresses.claim(tx, email, user_id):
        raise ConflictError("email_taken", "This e-mail address belongs to another account.", field="email")
    row = await tx.fetchrow(
        f"""
        WITH account AS (
            INSERT INTO users AS a (shard, id, username, email, password_hash, display_name, role, email_verified_at)
            VALUES ({shard("$1")}, $1, $2::text, $3::text, $4, $5, $6, $9)
            ON CONFLICT (id, shard) DO NOTHING RETURNING {USER}),
        inbox AS (INSERT INTO inboxes (shard, user_id) SELECT {shard("$1")}, id FROM account),
        indexed AS (
            INSERT INTO user_search (shard, user_id, name, display) SELECT {shard("$1")}, id, $7, $8 FROM account)
        SELECT * FROM account""",
        user_id,
        username,
        email,
        password_hash,
        display_name,
        role.value,
        username.lower(),
        search_text.key(display_name),
        None if pending else datetime.now(UTC),
    )
    if row is None:
        raise ConflictError("conflict", "no free id was found; try again")
    return user_of(row)


async def get(db: Queryable, user_id: int, *, viewer_id: int | None = None) -> User:
    """Return an account; raise `NotFoundError("user")` if it is deleted or blocks the viewer."""
    sql = f"SELECT {USER} FROM users a WHERE {_VIEWED} AND {profile(shard('$2'))}"
    return _found(await db.fetchrow(sql, viewer_id, user_id))


async def photo_count(db: Queryable, user_id: int) -> int:
    """Return the number of ready photos that an account's profile counts; 0 for one that is not known."""
    found: int | None = await db.fetchval(f"SELECT photos FROM users WHERE shard = {shard('$1')} AND id = $1", user_id)
    return found or 0


async def find(db: Queryable, name_or_id: str, *, viewer_id: int | None = None) -> User:
    """Return the account with an id in text form or, if there is none, with that username; see `get`."""
    return await by_name_or_id(db, name_or_id, lambda user_id: get(db, user_id, viewer_id=viewer_id))


async def by_name_or_id(db: Queryable, name_or_id: str, read: Callable[[int], Awaitable[T]]) -> T:
    """Return what `read` returns for the account with an id in text form or, if there is none, with that username.

    `read` raises `NotFoundError` for an account that does not exist.
    """
    with suppress(ids.BadIdError, NotFoundError):
        return await read(ids.decode(name_or_id))
    user_id = await usernames.id_of(db, name_or_id)
    if user_id is None:
        raise NotFoundError("user")
    return await read(user_id)


class Credentials(NamedTuple):
    """An account and what a sign-in has to know of it.

    `password_hash` is empty without a password, `deletion_due_at` is until when the deletion can be undone, if the
    account is deleted, and `second_factor` whether a sign-in by the password needs a code as well.
    """

    user: User
    password_hash: str
    suspended: bool
    deletion_due_at: datetime | None
    second_factor: bool


async def credentials(db: Queryable, username: str) -> Credentials | None:
    """Return the account of a username, also one whose deletion can be undone, or None."""
    user_id = await usernames.id_of(db, username)
    return None if user_id is None else await credentials_of(db, user_id)


async def credentials_of(db: Queryable, user_id: int) -> Credentials | None:
    """Return the credentials of an account, also of one whose deletion can be undone, or None."""
    row = await db.fetchrow(_CREDENTIALS, user_id)
    if row is None:
        return None
    fields = dict(row)
    names = ("password_hash", "suspended", "deletion_due_at", "second_factor")
    rest = [fields.pop(name) for name in names]
    return Credentials(user_of(fields), *rest)


async def password_hash(db: Queryable, user_id: int) -> str | None:
    """Return the password hash of an account, "" without a password, None if it is deleted."""
    encoded: str | None = await db.fetchval(
        f"SELECT password_hash FROM users WHERE {_ACCOUNT} AND deleted_at IS NULL", user_id
    )
    return encoded


async def exists(db: Queryable, user_id: int) -> bool:
    """Return whether an account is there and not deleted; it may be suspended."""
    found: bool = await db.fetchval(
        f"SELECT EXISTS (SELECT 1 FROM users WHERE {_ACCOUNT} AND deleted_at IS NULL)", user_id
    )
    return found


async def replace_password_hash(tx: Transaction, user_id: int, old: str, new: str) -> bool:
    """Replace a password hash; return False if it is not the `old` one any more."""
    changed = await tx.execute(
        f"UPDATE users SET password_hash = $3 WHERE {_ACCOUNT} AND password_hash = $2", user_id, old, new
    )
    return bool(changed)


async def set_password_hash(tx: Transaction, user_id: int, encoded: str) -> User | None:
    """Set the password of an account, also of one whose deletion can be undone; None if it is deleted for good.

    No session is opened meanwhile.
    """
    await account_locks.lock_against_inserts(tx, user_id)
    row = await tx.fetchrow(
        f"UPDATE users AS a SET password_hash = $2 WHERE {_ACCOUNT} "
        f"AND (a.deleted_at IS NULL OR a.deletion_due_at > now()) RETURNING {USER}",
        user_id,
        encoded,
    )
    return None if row is None else user_of(row)


async def publishes_rights(db: Queryable, user_id: int) -> bool:
    """Return whether new images of a user have the creator and the licence that their files name."""
    published: bool | None = await db.fetchval(f"SELECT publish_rights FROM users WHERE {_ACCOUNT}", user_id)
    return bool(published)


async def remove(tx: Transaction, user_id: int) -> list[str]:
    """Delete an account for good and return the sessions that ended with it.

    From the commit on its photos and comments are hidden. Emits `UserChanged`, `MediaPurge`, `StarChunk` for a star,
    and `AccountDeleted` and `ActorRemoved`, whose handlers delete them; raises `NotFoundError("user")`.
    """
    # This lock waits for the inserts by and about the user that are under way, and excludes new ones; the UPDATE alone
    # would not. So what is deleted later is everything that was inserted (`storage.stores.account_locks`).
    names = await tx.fetchrow(
        f"SELECT username::text, email::text FROM users a WHERE {_ACCOUNT} AND {kept()} FOR UPDATE", user_id
    )
    if names is None:
        raise NotFoundError("user")
    queued_at = await tx.fetchval(
        "UPDATE users SET deleted_at = now(), email = '', email_verified_at = NULL, password_hash = '', bio = '', "
        "settings = '{}', avatar_sha256 = NULL, banner_sha256 = NULL, deletion_due_at = NULL, "
        "erasure_queued_at = now() "
        f"WHERE {_ACCOUNT} RETURNING erasure_queued_at",
        user_id,
    )
    await usernames.free_all(tx, user_id, names[0])
    await identities.free_all(tx, user_id)
    await email_addresses.free(tx, names[1], user_id)
    ended = await sessions.revoke_all(tx, user_id)
    await oauth_clients.delete_all(tx, user_id)
    images = await tx.fetch(
        f"""
        WITH unindexed AS (DELETE FROM user_search WHERE shard = {shard("$1")} AND user_id = $1)
        DELETE FROM profile_images WHERE shard = {shard("$1")} AND user_id = $1 RETURNING sha256""",
        user_id,
    )
    for row in images:
        tx.emit(ProfileImageRemoved(user_id=user_id, sha256=row["sha256"]))
    tx.emit(MediaPurge(user_id=user_id, sha256s=[row["sha256"] for row in images], photos_below=ids.MAX_ID))
    tx.emit(UserChanged(user_id=user_id, deleted=True))
    tx.emit(ActorRemoved(user_id=user_id))
    # Before the erasure: the followers whose lists name the star are still known.
    await stars.end(tx, user_id)
    tx.emit(AccountDeleted(user_id=user_id, queued_at=erasure.in_microseconds(queued_at)))
    return ended


async def set_role(tx: Transaction, username: str, role: Role) -> User:
    """Set the role of an account; raise `NotFoundError("user")`."""
    user_id = await usernames.id_of(tx, username)
    if user_id is None:
        raise NotFoundError("user")
    row = await tx.fetchrow(
        f"UPDATE users AS a SET role = $2 WHERE {_ACCOUNT} AND deleted_at IS NULL RETURNING {USER}", user_id, role.value
    )
    return _found(row)


async def search(db: Queryable, prefix: str, *, viewer_id: int | None, after: str | None, limit: int) -> list[User]:
    """Return accounts that may be found, whose username begins with `prefix` in either case; by name, after `after`."""
    found: list[User] = []
    while len(found) < limit:
        # Some of a page may be hidden from the viewer; the rest of it is read behind them.
        rows = await _names(db, prefix, after=after, limit=limit)
        shown = await account_lists.findable(db, [row["user_id"] for row in rows], viewer_id=viewer_id)
        found += [shown[row["user_id"]] for row in rows if row["user_id"] in shown]
        if len(rows) < limit:
            break
        after = rows[-1]["username"]
    return found[:limit]


async def _names(db: Queryable, prefix: str, *, after: str | None, limit: int) -> Sequence[Row]:
    low = prefix.lower()
    return await db.fetch(
        """
        /* all shards: names are found by their beginning */
        SELECT username::text, user_id FROM usernames
        WHERE lower(username::text) ~>=~ $1 AND lower(username::text) ~<~ $2 AND kept_until IS NULL
          AND ($3::text IS NULL OR lower(username::text) ~>~ $3)
        ORDER BY lower(username::text) USING ~<~ LIMIT $4""",
        low,
        low + _AFTER_ANY_TEXT,
        None if after is None else after.lower(),
        limit,
    )


async def touch(db: Queryable, user_id: int) -> None:
    """Update when a user was last seen; writes at most once an hour.

    A user who was not seen for `NEW_VISIT` begins a visit; the time of before becomes the end of the previous one.
    """
    await db.fetchval(
        "UPDATE users SET last_seen_at = now(), "
        "previous_visit_at = CASE WHEN last_seen_at < $2 THEN last_seen_at ELSE previous_visit_at END "
        f"WHERE {_ACCOUNT} AND last_seen_at < now() - interval '1 hour' RETURNING id",
        user_id,
        # Of this process: on a cluster CASE must not depend on the database's clock.
        datetime.now(UTC) - NEW_VISIT,
    )


async def previous_visit(db: Queryable, user_id: int) -> datetime | None:
    """Return when a user was last seen on the visit before the present one; None if this is the first visit."""
    found: datetime | None = await db.fetchval(f"SELECT previous_visit_at FROM users WHERE {_ACCOUNT}", user_id)
    return found


def _found(row: Any) -> User:
    if row is None:
        raise NotFoundError("user")
    return user_of(row)
