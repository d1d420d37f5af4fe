"""Codes that users give to applications, which exchange each once. Only the SHA-256 of a code is stored."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from storage.errors import NotFoundError
from storage.oauth import AuthorizationCode
from storage.postgres.database import Transaction
from storage.postgres.sharding import shard as shard_of


async def add(
    tx: Transaction,
    user_id: int,
    *,
    sha256: bytes,
    client_id: int,
    redirect_uri: str,
    challenge: str | None,
    scopes: Sequence[str],
    expires_at: datetime,
) -> None:
    """Add a code of a user; raise `NotFoundError("user")` once the account is deleted or suspended."""
    added = await tx.execute(
        f"""
        INSERT INTO oauth_codes (shard, sha256, user_id, client_id, redirect_uri, challenge, scopes, expires_at)
        SELECT a.shard, $2, a.id, $3, $4, $5, $6::text[], $7 FROM users a
        WHERE a.shard = {shard_of("$1")} AND a.id = $1 AND a.deleted_at IS NULL AND a.suspended_at IS NULL
        FOR KEY SHARE""",
        user_id,
        sha256,
        client_id,
        redirect_uri,
        challenge,
        list(scopes),
        expires_at,
    )
    if not added:
        raise NotFoundError("user")


async def lock(tx: Transaction, *, shard: int, sha256: bytes) -> AuthorizationCode | None:
    """Return a code, used and expired ones as well, and lock it: of concurrent exchanges, one finds it unused."""
    row = await tx.fetchrow(
        "SELECT user_id, client_id, redirect_uri, challenge, scopes, session_id, used_at IS NOT NULL AS used, "
        "expires_at <= now() AS expired FROM oauth_codes WHERE shard = $1 AND sha256 = $2 FOR UPDATE",
        shard,
        sha256,
    )
    if row is None:
        return None
    return AuthorizationCode(
        user_id=row["user_id"],
        client_id=row["client_id"],
        redirect_uri=row["redirect_uri"],
        challenge=row["challenge"],
        scopes=tuple(row["scopes"]),
        expired=row["expired"],
        used=row["used"],
        session=None if row["session_id"] is None else str(row["session_id"]),
    )


async def use(tx: Transaction, *, shard: int, sha256: bytes, session: str) -> None:
    """Use a code up, for the session of the tokens that were issued for it."""
    await tx.execute(
        "UPDATE oauth_codes SET used_at = now(), session_id = $3 WHERE shard = $1 AND sha256 = $2",
        shard,
        sha256,
        uuid.UUID(session),
    )


async def delete_unused(tx: Transaction, user_id: int, *, client_id: int | None = None) -> None:
    """Delete the codes of a user that can still be exchanged, all or those of one application.

    So what ends the tokens of an application also ends what it could exchange for others.
    """
    # Those that have not expired are few, and are found by the index of the expiry.
    await tx.execute(
        f"DELETE FROM oauth_codes WHERE shard = {shard_of('$1')} AND user_id = $1 AND expires_at > now() "
        "AND used_at IS NULL AND ($2::bigint IS NULL OR client_id = $2)",
        user_id,
        client_id,
    )


async def purge(tx: Transaction, *, limit: int = 1000) -> int:
    """Delete up to `limit` codes that expired a day ago, and return their number."""
    # Until then a second exchange of a code ends the session of the first one.
    rows = await tx.fetch(
        "/* all shards: the janitor's */ SELECT shard, sha256 FROM oauth_codes "
        "WHERE expires_at < now() - interval '1 day' LIMIT $1",
        limit,
    )
    by_shard: dict[int, list[bytes]] = {}
    for row in rows:
        by_shard.setdefault(row["shard"], []).append(row["sha256"])
    for shard, digests in sorted(by_shard.items()):
        await tx.execute("DELETE FROM oauth_codes WHERE shard = $1 AND sha256 = ANY($2::bytea[])", shard, digests)
    return len(rows)
