"""Tokens of mails, each of which can be used once. Only the SHA-256 of a token is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from storage.mails import TokenPurpose
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard as shard_of

State = Literal["valid", "used", "expired"]
_COLUMNS = (
    "user_id, payload, used_at, expires_at, "
    "CASE WHEN used_at IS NOT NULL THEN 'used' WHEN expires_at <= now() THEN 'expired' ELSE 'valid' END AS state"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class OneTimeToken:
    """A token that was sent to a user: whether it can be used, and what it is about."""

    user_id: int
    payload: Mapping[str, Any]
    state: State


async def add(
    tx: Transaction,
    user_id: int,
    purpose: TokenPurpose,
    *,
    sha256: bytes,
    expires_at: datetime,
    payload: Mapping[str, Any] | None = None,
) -> None:
    """Add a token of a user; does nothing if it is there, or the account is deleted for good."""
    await tx.execute(
        f"""
        INSERT INTO one_time_tokens (shard, sha256, user_id, purpose, payload, expires_at)
        SELECT a.shard, $2, a.id, $3, $4, $5 FROM users a
        WHERE a.shard = {shard_of("$1")} AND a.id = $1 AND (a.deleted_at IS NULL OR a.deletion_due_at > now())
        FOR KEY SHARE
        ON CONFLICT (sha256, shard) DO NOTHING""",
        user_id,
        sha256,
        purpose.value,
        dict(payload or {}),
        expires_at,
    )


async def find(db: Queryable, purpose: TokenPurpose, *, shard: int, sha256: bytes) -> OneTimeToken | None:
    """Return a token of this purpose, used and expired ones as well."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM one_time_tokens WHERE shard = $1 AND sha256 = $2 AND purpose = $3",
        shard,
        sha256,
        purpose.value,
    )
    return None if row is None else _token_of(row)


async def use(tx: Transaction, purpose: TokenPurpose, *, shard: int, sha256: bytes) -> OneTimeToken | None:
    """Use a token up, and return it as it was before; of concurrent calls, one finds it valid."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM one_time_tokens WHERE shard = $1 AND sha256 = $2 AND purpose = $3 FOR UPDATE",
        shard,
        sha256,
        purpose.value,
    )
    if row is None:
        return None
    if row["state"] == "valid":
        await tx.execute("UPDATE one_time_tokens SET used_at = now() WHERE shard = $1 AND sha256 = $2", shard, sha256)
    return _token_of(row)


async def use_up_all(tx: Transaction, user_id: int, purpose: TokenPurpose) -> None:
    """Use up all tokens of a user for a purpose."""
    await tx.execute(
        "UPDATE one_time_tokens SET used_at = now() "
        f"WHERE shard = {shard_of('$1')} AND user_id = $1 AND purpose = $2 AND used_at IS NULL",
        user_id,
        purpose.value,
    )


async def purge(tx: Transaction, *, limit: int = 1000) -> int:
    """Delete up to `limit` tokens that expired a week ago, and return their number."""
    # Until then a user who opens an old mail reads that its link has expired, or was used.
    rows = await tx.fetch(
        "/* all shards: the janitor's */ SELECT shard, sha256 FROM one_time_tokens "
        "WHERE expires_at < now() - interval '7 days' ORDER BY expires_at LIMIT $1",
        limit,
    )
    by_shard: dict[int, list[bytes]] = {}
    for row in rows:
        by_shard.setdefault(row["shard"], []).append(row["sha256"])
    for shard, digests in sorted(by_shard.items()):
        await tx.execute("DELETE FROM one_time_tokens WHERE shard = $1 AND sha256 = ANY($2::bytea[])", shard, digests)
    return len(rows)


def _token_of(row: Any) -> OneTimeToken:
    return OneTimeToken(user_id=row["user_id"], payload=row["payload"], state=row["state"])
