"""Opaque tokens of the API: of applications, and of users' own programs. Only the SHA-256 of a token is stored.

A token acts in a session of its own, so that it ends as any session does: its revocation is known in Redis at once, and
its live connections are closed.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from storage.api_tokens import FoundToken
from storage.errors import NotFoundError
from storage.models import Role
from storage.oauth import RefreshableToken
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard as shard_of

# A use is recorded at most once in this time, because most requests only read.
_USE_RECORDED_EVERY = "interval '10 minutes'"

_FOUND = """
SELECT t.session_id, t.user_id, t.client_id, t.scopes, t.expires_at, u.role
FROM api_tokens t
LEFT JOIN sessions s ON s.shard = t.shard AND s.id = t.session_id AND s.revoked_at IS NULL
LEFT JOIN users u ON u.shard = t.shard AND u.id = t.user_id AND u.deleted_at IS NULL AND u.suspended_at IS NULL
WHERE t.shard = $1 AND t.sha256 = $2 AND (t.expires_at IS NULL OR t.expires_at > now())
    AND (t.user_id IS NULL OR s.id IS NOT NULL AND u.id IS NOT NULL)"""
_OPENED = f"""
WITH account AS (
    SELECT shard, id FROM users
    WHERE shard = {shard_of("$2")} AND id = $2 AND deleted_at IS NULL AND suspended_at IS NULL
    -- A suspension or deletion, which ends all sessions, waits for this one or is seen by it.
    FOR KEY SHARE),
opened AS (
    INSERT INTO sessions (shard, id, user_id, by_token) SELECT shard, $1, id, true FROM account RETURNING shard, id)
INSERT INTO api_tokens (shard, sha256, session_id, user_id, client_id, name, scopes, expires_at, refresh_sha256,
    refresh_expires_at)
SELECT shard, $3, id, $2, $4, $5, $6::text[], $7, $8, $9 FROM opened"""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewToken:
    """A token to be stored; without `client_id` it is a user's own, and without `expires_at` it does not expire.

    `refresh_sha256` is of the refresh token that is issued with it, if there is one.
    """

    sha256: bytes
    scopes: Sequence[str]
    client_id: int | None = None
    name: str = ""
    expires_at: datetime | None = None
    refresh_sha256: bytes | None = None
    refresh_expires_at: datetime | None = None


class TokenOwner(NamedTuple):
    """User, application and session of a token, each None where it has none."""

    user_id: int | None
    client_id: int | None
    session: str | None


async def find(db: Queryable, *, shard: int, sha256: bytes) -> FoundToken:
    """Return a token that is valid.

    Raises `NotFoundError("token")` if it is unknown or has expired, its session has ended, or its account is deleted or
    suspended.
    """
    row = await db.fetchrow(_FOUND, shard, sha256)
    if row is None:
        raise NotFoundError("token")
    return _found(row)


async def open_session(tx: Transaction, user_id: int, token: NewToken) -> str:
    """Store a token with a session of its own, and return the session's id.

    Raises `NotFoundError("user")` once the account is deleted or suspended.
    """
    session_id = uuid.uuid4()
    opened = await tx.execute(
        _OPENED,
        session_id,
        user_id,
        token.sha256,
        token.client_id,
        token.name,
        list(token.scopes),
        token.expires_at,
        token.refresh_sha256,
        token.refresh_expires_at,
    )
    if not opened:
        raise NotFoundError("user")
    return str(session_id)


async def mark_used(db: Queryable, *, shard: int, sha256: bytes) -> None:
    """Record that a token was used, unless that was recorded a moment ago."""
    await db.fetch(
        "UPDATE api_tokens SET last_used_at = now() WHERE shard = $1 AND sha256 = $2 "
        f"AND (last_used_at IS NULL OR last_used_at < now() - {_USE_RECORDED_EVERY})",
        shard,
        sha256,
    )


async def add_for_application(tx: Transaction, client_id: int, token: NewToken) -> None:
    """Store an application's own token, which acts for no user."""
    await tx.execute(
        "INSERT INTO api_tokens (shard, sha256, client_id, scopes, expires_at) "
        f"VALUES ({shard_of('$1')}, $2, $1, $3::text[], $4)",
        client_id,
        token.sha256,
        list(token.scopes),
        token.expires_at,
    )


async def lock_refreshable(tx: Transaction, *, shard: int, refresh_sha256: bytes) -> RefreshableToken | None:
    """Return a token by its refresh token, and lock it: of concurrent refreshes, one finds it unused."""
    row = await tx.fetchrow(
        """
        SELECT t.user_id, t.client_id, t.session_id, t.scopes, t.refreshed_at IS NOT NULL AS used,
            t.refresh_expires_at > now() AND s.revoked_at IS NULL AND u.id IS NOT NULL AS valid
        FROM api_tokens t
        JOIN sessions s ON s.shard = t.shard AND s.id = t.session_id
        LEFT JOIN users u ON u.shard = t.shard AND u.id = t.user_id AND u.deleted_at IS NULL AND u.suspended_at IS NULL
        WHERE t.shard = $1 AND t.refresh_sha256 = $2 FOR UPDATE OF t, s""",
        shard,
        refresh_sha256,
    )
    if row is None:
        return None
    return RefreshableToken(
        user_id=row["user_id"],
        client_id=row["client_id"],
        session=str(row["session_id"]),
        scopes=tuple(row["scopes"]),
        used=row["used"],
        valid=row["valid"],
    )


async def refresh(tx: Transaction, *, shard: int, refresh_sha256: bytes, token: NewToken) -> None:
    """Use a refresh token up, and add a token to its session."""
    await tx.execute(
        """
        WITH used AS (
            UPDATE api_tokens SET refreshed_at = now() WHERE shard = $1::integer AND refresh_sha256 = $2
            RETURNING session_id, user_id, client_id, scopes)
        INSERT INTO api_tokens (shard, sha256, session_id, user_id, client_id, scopes, last_used_at, expires_at,
            refresh_sha256, refresh_expires_at)
        SELECT $1::integer, $3, session_id, user_id, client_id, scopes, now(), $4, $5, $6 FROM used""",
        shard,
        refresh_sha256,
        token.sha256,
        token.expires_at,
        token.refresh_sha256,
        token.refresh_expires_at,
    )


async def of_text(db: Queryable, *, shard: int, sha256: bytes) -> TokenOwner | None:
    """Return whose an access or refresh token is, also one that has expired; None if it is unknown."""
    row = await db.fetchrow(
        "SELECT user_id, client_id, session_id FROM api_tokens "
        "WHERE shard = $1 AND (sha256 = $2 OR refresh_sha256 = $2)",
        shard,
        sha256,
    )
    if row is None:
        return None
    return TokenOwner(row["user_id"], row["client_id"], None if row["session_id"] is None else str(row["session_id"]))


async def delete(tx: Transaction, *, shard: int, sha256: bytes) -> None:
    """Delete an application's own token."""
    await tx.execute("DELETE FROM api_tokens WHERE shard = $1 AND sha256 = $2 AND session_id IS NULL", shard, sha256)


def _found(row: Any) -> FoundToken:
    return FoundToken(
        user_id=row["user_id"],
        session=None if row["session_id"] is None else str(row["session_id"]),
        client_id=row["client_id"],
        scopes=tuple(row["scopes"]),
        role=None if row["role"] is None else Role(row["role"]),
        expires_at=row["expires_at"],
    )
