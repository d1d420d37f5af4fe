"""The tokens of a user by what has them: the user's own programs, and applications; and their end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from storage.oauth import PersonalToken
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard
from storage.stores.credentials import oauth_codes, sessions

MOST = 50  # of a user's own

_OWN = f"""
FROM api_tokens t JOIN sessions s ON s.shard = t.shard AND s.id = t.session_id
WHERE t.shard = {shard("$1")} AND t.user_id = $1 AND s.shard = {shard("$1")} AND s.revoked_at IS NULL"""
# A token that has expired may still be refreshed.
_LIVES = "(t.expires_at IS NULL OR t.expires_at > now() OR t.refreshed_at IS NULL AND t.refresh_expires_at > now())"


@dataclass(frozen=True, kw_only=True, slots=True)
class Granted:
    """What a user has granted to one application: scopes, since when, and when it was last used."""

    client_id: int
    scopes: Sequence[str]
    granted_at: datetime
    last_used_at: datetime | None


async def personal(db: Queryable, user_id: int) -> list[PersonalToken]:
    """Return the user's own tokens, the newest first; those that have expired are shown until they are deleted."""
    rows = await db.fetch(
        "SELECT t.session_id, t.name, t.scopes, t.created_at, t.last_used_at, t.expires_at "
        f"{_OWN} AND t.client_id IS NULL ORDER BY t.created_at DESC, t.session_id",
        user_id,
    )
    return [
        PersonalToken(
            session=str(row["session_id"]),
            name=row["name"],
            scopes=tuple(row["scopes"]),
            created_at=row["created_at"],
            last_used_at=row["last_used_at"],
            expires_at=row["expires_at"],
        )
        for row in rows
    ]


async def granted(db: Queryable, user_id: int) -> list[Granted]:
    """Return what a user has granted to applications, the one that was granted last first."""
    rows = await db.fetch(
        "SELECT t.client_id, array_agg(DISTINCT scope ORDER BY scope) AS scopes, min(s.created_at) AS granted_at, "
        "max(t.last_used_at) AS last_used_at "
        + _OWN.replace("WHERE", "CROSS JOIN unnest(t.scopes) AS scope WHERE", 1)
        + f" AND t.client_id IS NOT NULL AND {_LIVES} GROUP BY t.client_id ORDER BY min(s.created_at) DESC, 1",
        user_id,
    )
    return [
        Granted(
            client_id=row["client_id"],
            scopes=tuple(row["scopes"]),
            granted_at=row["granted_at"],
            last_used_at=row["last_used_at"],
        )
        for row in rows
    ]


async def end_of_application(tx: Transaction, user_id: int, client_id: int) -> list[str]:
    """End the sessions that an application has of a user, and return their ids; emits `SessionEnded` for each."""
    await oauth_codes.delete_unused(tx, user_id, client_id=client_id)
    rows = await tx.fetch(f"SELECT DISTINCT t.session_id {_OWN} AND t.client_id = $2", user_id, client_id)
    return await _end(tx, user_id, [row["session_id"] for row in rows])


async def end_personal(tx: Transaction, user_id: int, session: str) -> list[str]:
    """End one of the user's own tokens, as `end_of_application`; returns nothing if there is none."""
    rows = await tx.fetch(
        f"SELECT DISTINCT t.session_id {_OWN} AND t.client_id IS NULL AND t.session_id = $2", user_id, UUID(session)
    )
    return await _end(tx, user_id, [row["session_id"] for row in rows])


async def end_all(tx: Transaction, user_id: int) -> list[str]:
    """End all tokens of a user, as `end_of_application`."""
    await oauth_codes.delete_unused(tx, user_id)
    rows = await tx.fetch(f"SELECT DISTINCT t.session_id {_OWN}", user_id)
    return await _end(tx, user_id, [row["session_id"] for row in rows])


async def sessions_of(db: Queryable, client_id: int, *, limit: int) -> list[tuple[int, str]]:
    """Return users and sessions of tokens of an application that have not ended, up to `limit`."""
    rows = await db.fetch(
        "/* all shards: the users of an application */ SELECT DISTINCT t.user_id, t.session_id FROM api_tokens t "
        "JOIN sessions s ON s.shard = t.shard AND s.id = t.session_id "
        "WHERE t.client_id = $1 AND s.revoked_at IS NULL LIMIT $2",
        client_id,
        limit,
    )
    return [(row["user_id"], str(row["session_id"])) for row in rows]


async def delete_own_of(tx: Transaction, client_id: int) -> None:
    """Delete the tokens of an application that act for no user."""
    await tx.execute(
        f"DELETE FROM api_tokens t WHERE t.shard = {shard('$1')} AND t.client_id = $1 AND t.user_id IS NULL", client_id
    )


async def purge(tx: Transaction, *, limit: int = 1000) -> int:
    """Delete up to `limit` tokens that have expired or whose sessions have ended, and return their number."""
    # Refresh tokens that were used are kept for some time: a second use shows that one was stolen.
    rows = await tx.fetch(
        """
        /* all shards: the janitor's */
        SELECT t.shard, t.sha256, t.session_id FROM api_tokens t
        LEFT JOIN sessions s ON s.shard = t.shard AND s.id = t.session_id
        WHERE t.expires_at < now() - interval '7 days' AND (t.refresh_expires_at IS NULL
                OR t.refresh_expires_at < now() OR t.refreshed_at < now() - interval '30 days')
            OR s.revoked_at < now() - interval '1 day'
        LIMIT $1""",
        limit,
    )
    by_shard: dict[int, list[bytes]] = {}
    for row in rows:
        by_shard.setdefault(row["shard"], []).append(row["sha256"])
    for each, digests in sorted(by_shard.items()):
        await tx.execute("DELETE FROM api_tokens WHERE shard = $1 AND sha256 = ANY($2::bytea[])", each, digests)
    await tx.execute(
        """
        DELETE FROM sessions s WHERE s.shard = ANY($1::integer[]) AND s.id = ANY($2::uuid[]) AND s.by_token
          AND NOT EXISTS (SELECT 1 FROM api_tokens t WHERE t.shard = s.shard AND t.session_id = s.id)""",
        sorted(by_shard),
        list({row["session_id"] for row in rows if row["session_id"] is not None}),
    )
    return len(rows)


async def _end(tx: Transaction, user_id: int, found: Sequence[UUID]) -> list[str]:
    return [str(each) for each in sorted(found) if await sessions.revoke(tx, user_id, str(each))]
