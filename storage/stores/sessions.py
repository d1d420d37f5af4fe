"""Sessions: families of refresh tokens, each of which can be used once.

The theft of a token becomes visible when it is used a second time, by the thief or by the user: then the whole
family ends (RFC 9700, section 4.14.2). Only the SHA-256 of a token is stored.
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
    """Result of a rotation: "ok" or the reason of the refusal, and the token's user and session if known."""

    kind: Outcome
    user_id: int | None = None
    session_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """A session that ended `age` seconds ago, and its user."""

    session_id: str
    user_id: int
    age: float


async def open(  # noqa: A001 - always called as sessions.open()
    tx: Transaction, user_id: int, *, token_sha256: bytes, expires_at: datetime
) -> str:
    """Create a session with its first refresh token and return the session's id."""
    session_id = uuid.uuid4()
    await tx.execute("INSERT INTO sessions (id, user_id) VALUES ($1, $2)", session_id, user_id)
    await _add_token(tx, session_id, token_sha256, expires_at)
    return str(session_id)


async def rotate(tx: Transaction, *, old_sha256: bytes, new_sha256: bytes, expires_at: datetime) -> Rotation:
    """Exchange a refresh token for the next one; of concurrent calls with the same token, one is "ok".

    A used token is "reused" and ends its session: the caller commits the transaction in this case as well. A token of
    an ended session is "unknown", like one that never existed.
    """
    # Both rows are locked, so that a call that had to wait decides on their newest state.
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
    """Return the result for a refresh token; a reuse is detected even after the token has expired."""
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
    """End all sessions of a user and return the ids of those that were active."""
    rows = await tx.fetch(
        "SELECT id FROM sessions WHERE user_id = $1 AND revoked_at IS NULL ORDER BY id FOR UPDATE", user_id
    )
    active = [row["id"] for row in rows]
    await tx.execute("UPDATE sessions SET revoked_at = now() WHERE id = ANY($1::uuid[])", active)
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


async def _add_token(tx: Transaction, session_id: uuid.UUID, token_sha256: bytes, expires_at: datetime) -> None:
    await tx.execute(
        "INSERT INTO refresh_tokens (token_sha256, session_id, expires_at) VALUES ($1, $2, $3)",
        token_sha256,
        session_id,
        expires_at,
    )
