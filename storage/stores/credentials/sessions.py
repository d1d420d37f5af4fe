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

from storage.devices import Device
from storage.errors import NotFoundError
from storage.events import SessionEnded
from storage.models import Role
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard as shard_of
from storage.stores.credentials import oauth_codes

REPEAT_SECONDS = 60.0  # in which a used token can be exchanged again

# Add the token $3 to the session $2 of a user in the shard $1, until $4.
_ISSUE = """
INSERT INTO refresh_tokens (shard, session_id, token_sha256, expires_at)
VALUES ($1::integer, $2::uuid, $3::bytea, $4::timestamptz)"""
# The same by a rotation that uses up all other tokens of the session; $5 is the client, $6 to $8 what is kept of it.
# The statement's time and not
# now(), so that each rotation has a time of its own: two rotations of one session may have begun at the same moment and
# have waited for each other. The token is added last, so it is not used up.
_REPLACE_TOKENS = f"""
WITH rotated AS (
    UPDATE sessions SET rotated_at = statement_timestamp(), rotated_by = $5, last_seen_at = statement_timestamp(),
        user_agent = coalesce($6, user_agent), network = coalesce($7, network), language = coalesce($8, language)
    WHERE shard = $1::integer AND id = $2::uuid RETURNING id, rotated_at),
used AS (
    UPDATE refresh_tokens t SET used_at = rotated.rotated_at FROM rotated
    WHERE t.shard = $1::integer AND t.session_id = rotated.id AND t.used_at IS NULL)
{_ISSUE}"""
_DELETE_TOKENS = """
DELETE FROM refresh_tokens WHERE shard = $1 AND token_sha256 IN (
    SELECT token_sha256 FROM refresh_tokens WHERE shard = $1 AND token_sha256 = ANY($2::bytea[])
    FOR UPDATE SKIP LOCKED)"""
# Lock a token $2 of the shard $1, and its session; $3 is the client, $4 the seconds in which it may repeat.
_LOCKED = """
SELECT t.session_id, t.used_at, t.expires_at, s.user_id, s.revoked_at, u.role,
    -- Of the last rotation: no token that was issued for it has been used.
    coalesce(t.used_at = s.rotated_at AND s.rotated_by = $3
        AND clock_timestamp() < s.rotated_at + $4 * interval '1 second', false) AS repeatable
FROM refresh_tokens t
JOIN sessions s ON s.shard = t.shard AND s.id = t.session_id
LEFT JOIN users u ON u.shard = t.shard AND u.id = s.user_id AND u.deleted_at IS NULL AND u.suspended_at IS NULL
WHERE t.shard = $1 AND t.token_sha256 = $2 FOR UPDATE OF t, s"""

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
    tx: Transaction,
    user_id: int,
    *,
    token_sha256: bytes,
    expires_at: datetime,
    device: Device | None = None,
    password_hash: str | None = None,
) -> str:
    """Create a session with its first refresh token and return the session's id; its user has just been authenticated.

    Raises `NotFoundError("user")` once the account is deleted or suspended, or does not have `password_hash` any more,
    unless this is None.
    """
    session_id = uuid.uuid4()
    opened = await tx.execute(
        f"""
        WITH account AS (
            SELECT shard, id FROM users
            WHERE shard = {shard_of("$2")} AND id = $2 AND deleted_at IS NULL AND suspended_at IS NULL
                AND ($7::text IS NULL OR password_hash = $7)
            -- A change of the password, which ends all sessions, waits for this one or is seen by it. A change of a
            -- counter does neither (`storage.stores.account_locks`).
            FOR KEY SHARE),
        opened AS (
            INSERT INTO sessions (shard, id, user_id, user_agent, network, language, last_seen_at, authenticated_at)
            SELECT shard, $1, id, $5, $6, $8, now(), now() FROM account RETURNING shard, id)
        INSERT INTO refresh_tokens (shard, token_sha256, session_id, expires_at)
        SELECT shard, $3, id, $4 FROM opened""",
        session_id,
        user_id,
        token_sha256,
        expires_at,
        None if device is None else device.user_agent,
        None if device is None else device.network,
        password_hash,
        None if device is None else device.language or None,
    )
    if not opened:
        raise NotFoundError("user")
    return str(session_id)


async def shard_of_token(db: Queryable, token_sha256: bytes) -> int | None:
    """Return the shard of a refresh token of the version before, whose text does not have it; None if it is unknown."""
    shard: int | None = await db.fetchval(
        "/* all shards: tokens of the version before */ SELECT shard FROM refresh_tokens WHERE token_sha256 = $1",
        token_sha256,
    )
    return shard


async def rotate(
    tx: Transaction,
    *,
    shard: int,
    old_sha256: bytes,
    new_sha256: bytes,
    expires_at: datetime,
    client: bytes | None = None,
    device: Device | None = None,
) -> Rotation:
    """Exchange a refresh token for the next one; of concurrent calls with the same token, one is "ok".

    `shard` is that of the token's user. `client` identifies the client; with None it is unknown, and equal to no other.
    `device` is kept if it is not None.
    A used token is "repeated" (a new token is issued all the same) or else "reused", which ends its session: the caller
    commits the transaction in this case as well. A token of an ended session is "unknown", like one that never existed.
    """
    # Both rows are locked, so that a call that had to wait decides on their newest state.
    row = await tx.fetchrow(
        _LOCKED,
        shard,
        old_sha256,
        client,
        REPEAT_SECONDS,
    )
    if row is None:
        return Rotation(kind="unknown")
    session_id, user_id = row["session_id"], row["user_id"]
    kind = decide(
        used=row["used_at"] is not None,
        repeatable=row["repeatable"],
        revoked=row["revoked_at"] is not None,
        expires_at=row["expires_at"],
        now=datetime.now(UTC),
    )
    role: Role | None = None
    if kind == "ok":
        shown = (None, None, None) if device is None else (device.user_agent, device.network, device.language or None)
        await tx.execute(_REPLACE_TOKENS, shard, session_id, new_sha256, expires_at, client, *shown)
    elif kind == "repeated":
        await tx.execute(_ISSUE, shard, session_id, new_sha256, expires_at)
    elif kind == "reused":
        await revoke(tx, user_id, str(session_id))
    if kind in ("ok", "repeated") and row["role"] is not None:
        role = Role(row["role"])
    return Rotation(kind=kind, user_id=user_id, session_id=str(session_id), role=role)


def decide(*, used: bool, revoked: bool, expires_at: datetime, now: datetime, repeatable: bool = False) -> Outcome:
    """Return the result for a refresh token; a reuse is detected even after the token has expired."""
    if revoked:
        return "unknown"
    if used:
        return "repeated" if repeatable else "reused"
    return "ok" if now < expires_at else "expired"


async def revoke(tx: Transaction, user_id: int, session_id: str) -> bool:
    """End a session of a user, emit `SessionEnded`, and return True; False if there is none, or it has ended."""
    ended = await tx.execute(
        f"UPDATE sessions SET revoked_at = now() "
        f"WHERE shard = {shard_of('$1')} AND user_id = $1 AND id = $2 AND revoked_at IS NULL",
        user_id,
        uuid.UUID(session_id),
    )
    if ended:
        tx.emit(SessionEnded(session_id=session_id, user_id=user_id))
    return bool(ended)


async def revoke_all(tx: Transaction, user_id: int, *, but: str | None = None, by_token: bool = True) -> list[str]:
    """End all sessions of a user, except the session `but`, and return the ids of those that were active.

    Without `by_token`, applications and programs keep their tokens; with it, codes that were not exchanged yet are
    deleted, too. Emits `SessionEnded` for each.
    """
    rows = await tx.fetch(
        f"SELECT id FROM sessions WHERE shard = {shard_of('$1')} AND user_id = $1 AND revoked_at IS NULL "
        "AND id IS DISTINCT FROM $2::uuid AND ($3 OR NOT by_token) ORDER BY id FOR UPDATE",
        user_id,
        None if but is None else uuid.UUID(but),
        by_token,
    )
    active = [row["id"] for row in rows]
    await tx.execute(
        f"UPDATE sessions SET revoked_at = now() WHERE shard = {shard_of('$1')} AND id = ANY($2::uuid[])",
        user_id,
        active,
    )
    for session_id in active:
        tx.emit(SessionEnded(session_id=str(session_id), user_id=user_id))
    if by_token:
        await oauth_codes.delete_unused(tx, user_id)
    return [str(session_id) for session_id in active]


async def is_open(db: Queryable, user_id: int, session_id: str) -> bool:
    """Return whether a session of a user exists and has not ended; `session_id` is from a verified token."""
    try:
        known = uuid.UUID(session_id)
    except ValueError:
        return False
    found: bool = await db.fetchval(
        f"SELECT EXISTS (SELECT 1 FROM sessions WHERE shard = {shard_of('$1')} AND user_id = $1 AND id = $2 "
        "AND revoked_at IS NULL)",
        user_id,
        known,
    )
    return found


async def ended_within(db: Queryable, seconds: int) -> list[Ended]:
    """Return the sessions that ended in the last `seconds`."""
    rows = await db.fetch(
        """
        /* all shards: for the list of ended sessions in Redis, when it is lost */
        SELECT id, user_id, extract(epoch FROM now() - revoked_at)::float8 AS age
        FROM sessions WHERE revoked_at > now() - $1::float8 * interval '1 second'""",
        float(seconds),
    )
    return [Ended(session_id=str(row["id"]), user_id=row["user_id"], age=row["age"]) for row in rows]


async def purge(tx: Transaction, *, limit: int = 1000) -> int:
    """Delete up to `limit` expired tokens, and sessions left without a token; return the number of tokens."""
    rows = await tx.fetch(
        "/* all shards: the janitor's */ SELECT shard, token_sha256, session_id FROM refresh_tokens "
        "WHERE expires_at < now() LIMIT $1",
        limit,
    )
    by_shard: dict[int, list[bytes]] = {}
    for row in rows:
        by_shard.setdefault(row["shard"], []).append(row["token_sha256"])
    # One statement for each shard: a token that is being exchanged at this moment is left out instead of waited for.
    deleted = [await tx.execute(_DELETE_TOKENS, shard, tokens) for shard, tokens in sorted(by_shard.items())]
    await tx.execute(
        """
        DELETE FROM sessions s WHERE s.shard = ANY($1::integer[]) AND s.id = ANY($2::uuid[])
          AND NOT EXISTS (SELECT 1 FROM refresh_tokens t WHERE t.shard = s.shard AND t.session_id = s.id)""",
        sorted(by_shard),
        list({row["session_id"] for row in rows}),
    )
    return sum(deleted)
