"""Sessions: families of refresh tokens, each token good for one use.

A stolen token shows when it is used a second time, by whomever: the whole family ends then
(RFC 9700, section 4.14.2). Only the SHA-256 of a token is kept.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from storage.postgres.database import Queryable, Transaction

Outcome = Literal["ok", "reused", "unknown", "expired"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rotation:
    """What became of a refresh token: "ok", or why not; whose it is, where that is known."""

    kind: Outcome
    user_id: int | None = None
    session_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """A session that ended `age` seconds ago, and whose it was."""

    session_id: str
    user_id: int
    age: float


async def open(  # noqa: A001 - sessions.open() says what it does
    tx: Transaction, user_id: int, *, token_sha256: bytes, expires_at: datetime
) -> str:
    """Begin a session with its first refresh token and return the session's id."""
    session_id = uuid.uuid4()
    await tx.execute("INSERT INTO sessions (id, user_id) VALUES ($1, $2)", session_id, user_id)
    await _add_token(tx, session_id, token_sha256, expires_at)
    return str(session_id)


async def rotate(tx: Transaction, *, old_sha256: bytes, new_sha256: bytes, expires_at: datetime) -> Rotation:
    """Exchange a refresh token for the next one; of several at once with the same token, one is "ok".

    A used token is "reused" and ends its session: commit the transaction also then. A token of a session
    that has ended is "unknown", like one that never was.
    """
    # Both rows are locked, so that whoever waited for them decides on what they have become.
    row = await tx.fetchrow(
        """
        SELECT t.session_id, t.used_at, t.expires_at, s.user_id, s.revoked_at
        FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id WHERE t.token_sha256 = $1 FOR UPDATE""",
        old_sha256,
    )
    if row is None:
        return Rotation(kind="unknown")
    session_id = str(row["session_id"])
    kind = decide(
        used=row["used_at"] is not None,
        revoked=row["revoked_at"] is not None,
        expires_at=row["expires_at"],
        now=datetime.now(UTC),
    )
    if kind == "ok":
        await tx.execute("UPDATE refresh_tokens SET used_at = now() WHERE token_sha256 = $1", old_sha256)
        await _add_token(tx, row["session_id"], new_sha256, expires_at)
    elif kind == "reused":
        await revoke(tx, session_id)
    return Rotation(kind=kind, user_id=row["user_id"], session_id=session_id)


def decide(*, used: bool, revoked: bool, expires_at: datetime, now: datetime) -> Outcome:
    """Return what a refresh token is good for; a reuse counts even after the token's time."""
    if revoked:
        return "unknown"
    if used:
        return "reused"
    return "ok" if now < expires_at else "expired"


async def revoke(tx: Transaction, session_id: str) -> None:
    """End a session; a second time changes nothing."""
    await tx.execute(
        "UPDATE sessions SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL", uuid.UUID(session_id)
    )


async def revoke_all(tx: Transaction, user_id: int) -> list[str]:
    """End all sessions of a person and return the ids of those that stood."""
    rows = await tx.fetch(
        "SELECT id FROM sessions WHERE user_id = $1 AND revoked_at IS NULL ORDER BY id FOR UPDATE", user_id
    )
    standing = [row["id"] for row in rows]
    await tx.execute("UPDATE sessions SET revoked_at = now() WHERE id = ANY($1::uuid[])", standing)
    return [str(session_id) for session_id in standing]


async def ended_within(db: Queryable, seconds: int) -> list[Ended]:
    """Return the sessions that ended in the last so many seconds."""
    rows = await db.fetch(
        """
        SELECT id, user_id, extract(epoch FROM now() - revoked_at)::float8 AS age
        FROM sessions WHERE revoked_at > now() - $1::float8 * interval '1 second'""",
        float(seconds),
    )
    return [Ended(session_id=str(row["id"]), user_id=row["user_id"], age=row["age"]) for row in rows]


async def purge(tx: Transaction, *, limit: int = 1000) -> int:
    """Forget up to `limit` expired tokens, and the sessions they were the last of; return how many tokens."""
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


async def _add_token(tx: Transaction, session_id: uuid.UUID, token_sha256: bytes, expires_at: datetime) -> None:
    await tx.execute(
        "INSERT INTO refresh_tokens (token_sha256, session_id, expires_at) VALUES ($1, $2, $3)",
        token_sha256,
        session_id,
        expires_at,
    )
