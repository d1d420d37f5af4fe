"""Accounts: create, find, change and delete them.

A deleted account keeps its row, with `deleted_at`. Its names are free again at once, and nothing of it is shown any
more. What it has left may be a million rows, so these are deleted later in batches (`storage.stores.erasure`).
"""

from __future__ import annotations

from typing import Any

from storage import ids
from storage.errors import ConflictError, NotFoundError
from storage.events import AccountDeleted, ActorRemoved, CopiesOutdated, PresenceHidden, UserChanged
from storage.models import PresenceAudience, Role, User
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import USER, user_of
from storage.postgres.visibility import KNOWN, PROFILE
from storage.stores import comments, sessions

COMMENTS_AT_ONCE = 500  # in which an author's name is changed by one transaction
# The account with the id $2 or, if there is none, with the username $3, for the FROM of a query; none if it is deleted
# or blocks the viewer $1.
NAMED = (
    f"users a WHERE (a.id = $2 OR a.username = $3::text::citext) AND {PROFILE} "
    "ORDER BY a.id = $2 DESC NULLS LAST LIMIT 1"
)
_AFTER_ANY_TEXT = "\U0010ffff"  # sorts after every character of a username


async def create(
    tx: Transaction, *, username: str, email: str, password_hash: str, display_name: str, role: Role = Role.USER
) -> User:
    """Create an account in a random shard; raise `ConflictError` username_taken or email_taken."""
    row = await tx.insert(
        ids.draw_shard(),
        f"""
        INSERT INTO users AS a (id, username, email, password_hash, display_name, role)
        VALUES ($1, $2::text, $3::text, $4, $5, $6)
        ON CONFLICT (id) DO NOTHING RETURNING {USER}""",
        username,
        email,
        password_hash,
        display_name,
        role.value,
    )
    if row is None:
        raise ConflictError("conflict", "no free id was found; try again")
    return user_of(row)


async def get(db: Queryable, user_id: int, *, viewer_id: int | None = None) -> User:
    """Return an account; raise `NotFoundError("user")` if it is deleted or blocks the viewer."""
    return _found(await db.fetchrow(f"SELECT {USER} FROM users a WHERE a.id = $2 AND {PROFILE}", viewer_id, user_id))


async def find(db: Queryable, name_or_id: str, *, viewer_id: int | None = None) -> User:
    """Return the account with an id in text form or, if there is none, with that username; see `get`."""
    return _found(await db.fetchrow(f"SELECT {USER} FROM {NAMED}", viewer_id, id_of(name_or_id), name_or_id))


def id_of(name_or_id: str) -> int | None:
    """Return the id in text form, or None for a text that is none and may be a username."""
    try:
        return ids.decode(name_or_id)
    except ids.BadIdError:
        return None


async def credentials(db: Queryable, login: str) -> tuple[User, str] | None:
    """Return the account of a username or e-mail address and its password hash, or None."""
    column = "email" if "@" in login else "username"
    row = await db.fetchrow(
        f"SELECT {USER}, a.password_hash FROM users a WHERE a.{column} = $1::text::citext AND a.deleted_at IS NULL",
        login,
    )
    if row is None:
        return None
    fields = dict(row)
    password_hash: str = fields.pop("password_hash")
    return user_of(fields), password_hash


async def replace_password_hash(tx: Transaction, user_id: int, old: str, new: str) -> None:
    """Replace a password hash, unless it is not the `old` one any more."""
    await tx.execute("UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2", user_id, old, new)


async def update(
    tx: Transaction,
    user_id: int,
    *,
    display_name: str | None = None,
    bio: str | None = None,
    private: bool | None = None,
    presence: PresenceAudience | None = None,
    settings: dict[str, Any] | None = None,
    avatar_sha256: str | None = None,
    order: str = "",
) -> User:
    """Change the fields that are not None and return the account; an empty `avatar_sha256` removes the avatar.

    Emits `UserChanged` if the name, avatar or privacy is given, and `PresenceHidden` if the presence is hidden from
    all. The name and avatar in the user's newest comments change as well; for the others it emits `CopiesOutdated`.
    `order` is that of `UserChanged`.
    """
    row = await tx.fetchrow(
        f"""
        UPDATE users AS a SET
            display_name = coalesce($2, display_name), bio = coalesce($3, bio), private = coalesce($4, private),
            settings = coalesce($5, settings),
            avatar_sha256 = CASE WHEN $6::text IS NULL THEN avatar_sha256 ELSE nullif($6::text, '') END,
            presence = coalesce($7, presence)
        WHERE id = $1 AND deleted_at IS NULL RETURNING {USER}""",
        user_id,
        display_name,
        bio,
        private,
        settings,
        avatar_sha256,
        None if presence is None else presence.value,
    )
    user = _found(row)
    if display_name is not None or avatar_sha256 is not None:
        older = await comments.rename_author(tx, user_id, below=None, limit=COMMENTS_AT_ONCE)
        if older is not None:
            tx.emit(CopiesOutdated(user_id=user_id, comments_below=older))
    if display_name is not None or avatar_sha256 is not None or private is not None:
        tx.emit(UserChanged(user_id=user_id, closed=private is True, opened=private is False, order=order))
    if presence is PresenceAudience.NOBODY:
        tx.emit(PresenceHidden(user_id=user_id))
    return user


async def remove(tx: Transaction, user_id: int) -> list[str]:
    """Delete an account and return the sessions that ended with it.

    From the commit on its photos and comments are hidden. Emits `UserChanged`, and `AccountDeleted` and `ActorRemoved`,
    whose handlers delete them; raises `NotFoundError("user")`.
    """
    # This lock waits for the inserts by and about the user that are under way, and excludes new ones; the UPDATE alone
    # would not. So what is deleted later is everything that was inserted (`storage.stores.account_locks`).
    await tx.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", user_id)
    deleted = await tx.execute(
        "UPDATE users SET deleted_at = now(), email = '', password_hash = '', bio = '', settings = '{}', "
        "avatar_sha256 = NULL, erasure_queued_at = now() WHERE id = $1 AND deleted_at IS NULL",
        user_id,
    )
    if not deleted:
        raise NotFoundError("user")
    ended = await sessions.revoke_all(tx, user_id)
    tx.emit(UserChanged(user_id=user_id, deleted=True))
    tx.emit(ActorRemoved(user_id=user_id))
    tx.emit(AccountDeleted(user_id=user_id))
    return ended


async def set_role(tx: Transaction, username: str, role: Role) -> User:
    """Set the role of an account; raise `NotFoundError("user")`."""
    row = await tx.fetchrow(
        f"UPDATE users AS a SET role = $2 WHERE username = $1::text::citext AND deleted_at IS NULL RETURNING {USER}",
        username,
        role.value,
    )
    return _found(row)


async def search(db: Queryable, prefix: str, *, viewer_id: int | None, after: str | None, limit: int) -> list[User]:
    """Return accounts whose username begins with `prefix` in either case, sorted by username, those after `after`."""
    low = prefix.lower()
    rows = await db.fetch(
        f"""
        SELECT {USER} FROM users a
        WHERE lower(a.username::text) ~>=~ $2 AND lower(a.username::text) ~<~ $3
          AND ($4::text IS NULL OR lower(a.username::text) ~>~ $4) AND {KNOWN}
        ORDER BY lower(a.username::text) USING ~<~ LIMIT $5""",
        viewer_id,
        low,
        low + _AFTER_ANY_TEXT,
        None if after is None else after.lower(),
        limit,
    )
    return [user_of(row) for row in rows]


async def touch(db: Queryable, user_id: int) -> None:
    """Update when a user was last seen; writes at most once an hour."""
    await db.fetchval(
        "UPDATE users SET last_seen_at = now() WHERE id = $1 AND last_seen_at < now() - interval '1 hour' RETURNING id",
        user_id,
    )


def _found(row: Any) -> User:
    if row is None:
        raise NotFoundError("user")
    return user_of(row)
