"""Sessions: families of refresh tokens, each of which can be used once.

The theft of a token becomes visible when it is used a second time, by the thief or by the user: then the whole
family ends (RFC 9700, section 4.14.2). Only the SHA-256 of a token is stored.

A client whose response was lost uses its token a second time too, and so do two requests of one client at the same
moment. So for `REPEAT_SECONDS` a used token is exchanged again, if it comes from the same client and no token that was
issued for it has been used. All tokens that were issued for one token are one generation: the first use of one of them
uses up the others as well, so that a family never has two branches.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from storage.errors import NotFoundError
from storage.events import SessionEnded
from storage.models import Role
from storage.postgres.database import Queryable, Transaction

REPEAT_SECONDS = 60.0  # in which a used token can be exchanged again

# Add the token $2 to the session $1 until $3, and return the role of the session's user, or NULL once deleted.
_ISSUE = """
INSERT INTO refresh_tokens AS t (session_id, token_sha256, expires_at) VALUES ($1, $2, $3)
RETURNING (SELECT u.role FROM sessions s JOIN users u ON u.id = s.user_id
           WHERE s.id = t.session_id AND u.deleted_at IS NULL)"""

Outcome = Literal["ok", "repeated", "reused", "unknown", "expired"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rotation:
    """Result of a rotation: "ok", "repeated" or why it is refused, and the token's user and session if known.

    `role` is that of the user when a token was issued; None without one, and for a deleted account.
    """

    kind: Outcome
    user_id: int | None = None
    session_id: str | None = None
    role: Role | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """A session that ended `age` seconds ago, and its user."""

    session_id: str
    user_id: int
    age: float


async def open(  # noqa: A001 - always called as sessions.open()
    tx: Transaction, user_id: int, *, token_sha256: bytes, expires_at: datetime
) -> str:
    """Create a session with its first refresh token and return the session's id.

    Raises `NotFoundError("user")` once the account is deleted.
    """
    session_id = uuid.uuid4()
    opened = await tx.execute(
        """
        WITH opened AS (
            INSERT INTO sessions (id, user_id)
            SELECT $1, id FROM users WHERE id = $2 AND deleted_at IS NULL FOR KEY SHARE RETURNING id)
        INSERT INTO refresh_tokens (token_sha256, session_id, expires_at) SELECT $3, id, $4 FROM opened""",
        session_id,
        user_id,
        token_sha256,
        expires_at,
    )
    if not opened:
        raise NotFoundError("user")
    return str(session_id)


async def rotate(
    tx: Transaction, *, old_sha256: bytes, new_sha256: bytes, expires_at: datetime, client: bytes | None = None
) -> Rotation:
    """Exchange a refresh token for the next one; of concurrent calls with the same token, one is "ok".

    `client` identifies the client; with None it is unknown, and equal to no other. A used token is "repeated" (a new
    token is issued all the same) or else "reused", which ends its session: the caller commits the transaction in this
    case as well. A token of an ended session is "unknown", like one that never existed.
    """
    # Both rows are locked, so that a call that had to wait decides on their newest state.
    row = await tx.fetchrow(
        """
        SELECT t.session_id, t.used_at, t.expires_at, s.user_id, s.revoked_at,
            -- Of the last rotation: no token that was issued for it has been used.
            coalesce(t.used_at = s.rotated_at AND s.rotated_by = $2
                AND clock_timestamp() < s.rotated_at + $3 * interval '1 second', false) AS repeatable
        FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id WHERE t.token_sha256 = $1 FOR UPDATE""",
        old_sha256,
        client,
        REPEAT_SECONDS,
    )
    if row is None:
        return Rotation(kind="unknown")
    session_id = str(row["session_id"])
    kind = decide(
        used=row["used_at"] is not None,
        repeatable=row["repeatable"],
        revoked=row["revoked_at"] is not None,
        expires_at=row["expires_at"],
        now=datetime.now(UTC),
    )
    role: str | None = None
    if kind == "ok":
        role = await _replace_tokens(tx, row["session_id"], new_sha256, expires_at, client)
    elif kind == "repeated":
        role = await tx.fetchval(_ISSUE, row["session_id"], new_sha256, expires_at)
    elif kind == "reused":
        await revoke(tx, session_id)
    return Rotation(kind=kind, user_id=row["user_id"], session_id=session_id, role=None if role is None else Role(role))


def decide(*, used: bool, revoked: bool, expires_at: datetime, now: datetime, repeatable: bool = False) -> Outcome:
    """Return the result for a refresh token; a reuse is detected even after the token has expired."""
    if revoked:
        return "unknown"
    if used:
        return "repeated" if repeatable else "reused"
    return "ok" if now < expires_at else "expired"


async def revoke(tx: Transaction, session_id: str) -> None:
    """End a session and emit `SessionEnded`; a second time changes nothing."""
    user_id = await tx.fetchval(
        "UPDATE sessions SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING user_id",
        uuid.UUID(session_id),
    )
    if user_id is not None:
        tx.emit(SessionEnded(session_id=session_id, user_id=user_id))


async def revoke_all(tx: Transaction, user_id: int) -> list[str]:
    """End all sessions of a user, emit `SessionEnded` for each, and return the ids of those that were active."""
    rows = await tx.fetch(
        "SELECT id FROM sessions WHERE user_id = $1 AND revoked_at IS NULL ORDER BY id FOR UPDATE", user_id
    )
    active = [row["id"] for row in rows]
    await tx.execute("UPDATE sessions SET revoked_at = now() WHERE id = ANY($1::uuid[])", active)
    for session_id in active:
        tx.emit(SessionEnded(session_id=str(session_id), user_id=user_id))
    return [str(session_id) for session_id in active]


async def ended_within(db: Queryable, seconds: int) -> list[Ended]:
    """Return the sessions that ended in the last `seconds`."""
    rows = await db.fetch(
        """
        SELECT id, user_id, extract(epoch FROM now() - revoked_at)::float8 AS age
        FROM sessions WHERE revoked_at > now() - $1::float8 * interval '1 second'""",
        float(seconds),
    )
    return [Ended(session_id=str(row["id"]), user_id=row["user_id"], age=row["age"]) for row in rows]


async def purge(tx: Transaction, *, limit: int = 1000) -> int:
    """Delete up to `limit` expired tokens, and sessions left without a token; return the number of tokens."""
    rows = await tx.fetch(
        """
        DELETE FROM refresh_tokens WHERE token_sha256 IN (
            SELECT token_sha256 FROM refresh_tokens WHERE expires_at < now() LIMIT $1 FOR UPDATE SKIP LOCKED)
        RETURNING session_id""",
        limit,
    )
    await tx.execute(
        """
        DELETE FROM sessions s WHERE s.id = ANY($1::uuid[])
          AND NOT EXISTS (SELECT FROM refresh_tokens t WHERE t.session_id = s.id)""",
        list({row["session_id"] for row in rows}),
    )
    return len(rows)


async def _replace_tokens(
    tx: Transaction, session_id: uuid.UUID, token_sha256: bytes, expires_at: datetime, client: bytes | None
) -> str | None:
    """Issue a token by a rotation that uses up all others of the session; return the role of its user."""
    # A time of its own for each rotation: two rotations of one session may have begun at the same moment and have
    # waited for each other, and then now() would not distinguish them. The UPDATE does not see the new token.
    role: str | None = await tx.fetchval(
        f"""
        WITH rotated AS (
            UPDATE sessions SET rotated_at = clock_timestamp(), rotated_by = $4 WHERE id = $1 RETURNING id, rotated_at),
        used AS (
            UPDATE refresh_tokens t SET used_at = rotated.rotated_at FROM rotated
            WHERE t.session_id = rotated.id AND t.used_at IS NULL)
        {_ISSUE}""",
        session_id,
        token_sha256,
        expires_at,
        client,
    )
    return role
