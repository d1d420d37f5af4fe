"""The sessions of a user as the user sees them, and when the user was last authenticated in one."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from storage.postgres.database import Queryable
from storage.postgres.sharding import shard

MOST = 100  # that are listed

# An active session has a refresh token that can still be used, or was used a moment ago and can be used again.
_LISTED = f"""
SELECT s.id, s.user_agent, s.network, s.created_at, coalesce(s.last_seen_at, s.rotated_at, s.created_at) AS last_seen_at
FROM sessions s
WHERE s.shard = {shard("$1")} AND s.user_id = $1 AND s.revoked_at IS NULL AND EXISTS (
    SELECT 1 FROM refresh_tokens t
    WHERE t.shard = {shard("$1")} AND t.session_id = s.id AND t.used_at IS NULL AND t.expires_at > now())
ORDER BY 5 DESC, s.id LIMIT $2"""
# What earlier sessions were opened by. An account with more sessions than are read is that of a program, which opens
# them with one client.
_CLIENTS = f"""
SELECT DISTINCT user_agent, network FROM (
    SELECT s.user_agent, s.network FROM sessions s WHERE s.shard = {shard("$1")} AND s.user_id = $1
    AND NOT s.by_token LIMIT 1000
    ) AS earlier LIMIT 200"""


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedSession:
    """An active session; `user_agent` and `network` are empty where they are not known."""

    id: str
    user_agent: str
    network: str
    created_at: datetime
    last_seen_at: datetime


async def active(db: Queryable, user_id: int, *, limit: int = MOST) -> list[ListedSession]:
    """Return the active sessions of a user, the one that was seen last first."""
    return [
        ListedSession(
            id=str(row["id"]),
            user_agent=row["user_agent"] or "",
            network=row["network"] or "",
            created_at=row["created_at"],
            last_seen_at=row["last_seen_at"],
        )
        for row in await db.fetch(_LISTED, user_id, limit)
    ]


async def authenticated_at(db: Queryable, user_id: int, session: str) -> datetime | None:
    """Return when the user was last authenticated in a session; None if that is not known, or the session has ended."""
    found: datetime | None = await db.fetchval(
        f"SELECT authenticated_at FROM sessions "
        f"WHERE shard = {shard('$1')} AND user_id = $1 AND id = $2 AND revoked_at IS NULL",
        user_id,
        uuid.UUID(session),
    )
    return found


async def mark_authenticated(db: Queryable, user_id: int, session: str) -> datetime | None:
    """Record that the user was authenticated in a session now, and return the time; None if the session has ended."""
    found: datetime | None = await db.fetchval(
        f"UPDATE sessions SET authenticated_at = now() "
        f"WHERE shard = {shard('$1')} AND user_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING authenticated_at",
        user_id,
        uuid.UUID(session),
    )
    return found


async def clients(db: Queryable, user_id: int) -> list[tuple[str, str]]:
    """Return the `User-Agent` and the network of each client that has had a session of a user, ended ones included."""
    return [(row["user_agent"] or "", row["network"] or "") for row in await db.fetch(_CLIENTS, user_id)]
