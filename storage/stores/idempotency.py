"""Idempotency keys: the first request with a key does the work, every repeat gets its response.

A key belongs to one user. Its row is inserted before the transaction of the work, without a response, which is stored
together with the effect or not at all. The claim is the lock of the row, so it ends with the process that holds it. No
claim has to expire or to be released: a row without a response that is not locked is a key that is unused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from storage.errors import NotFoundError
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard, shards


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """State of a key: "new" (do the work), "running", "stored" (with the response), or "mismatch"."""

    state: Literal["new", "running", "stored", "mismatch"]
    status: int | None = None
    response: bytes | None = None


_SELECT = f"""
SELECT fingerprint, status, response FROM idempotency_keys WHERE shard = {shard("$1")} AND user_id = $1 AND key = $2"""


async def reserve(db: Queryable, *, user_id: int, key: str, fingerprint: str) -> None:
    """Insert the row that `claim` locks, unless it is there; before the transaction of the claim."""
    await db.fetch(
        "INSERT INTO idempotency_keys (shard, user_id, key, fingerprint) "
        f"VALUES ({shard('$1')}, $1, $2, $3) ON CONFLICT (user_id, key, shard) DO NOTHING",
        user_id,
        key,
        fingerprint,
    )


async def claim(tx: Transaction, *, user_id: int, key: str, fingerprint: str) -> Claim:
    """Claim a reserved key until the end of `tx` for a request whose content has `fingerprint`.

    Of concurrent claims exactly one is "new". Until it ends, the others are "running" whatever their fingerprint is.
    """
    row = await tx.fetchrow(f"{_SELECT} FOR UPDATE SKIP LOCKED", user_id, key)
    return Claim(state="running") if row is None else _claim(row, fingerprint)


async def find(db: Queryable, *, user_id: int, key: str, fingerprint: str) -> Claim:
    """Return the state of a key without claiming it; "new" if no request with it has finished."""
    row = await db.fetchrow(_SELECT, user_id, key)
    return Claim(state="new") if row is None else _claim(row, fingerprint)


async def finish(tx: Transaction, *, user_id: int, key: str, fingerprint: str, status: int, response: bytes) -> None:
    """Store the response of the work that was claimed and done in `tx`.

    Raises `NotFoundError("user")` once the account is deleted.
    """
    # The age of a key counts from here. The fingerprint may differ from that of a request that has failed.
    stored = await tx.execute(
        "UPDATE idempotency_keys SET fingerprint = $3, status = $4, response = $5, created_at = now() "
        f"WHERE shard = {shard('$1')} AND user_id = $1 AND key = $2 "
        f"AND EXISTS (SELECT 1 FROM users a WHERE a.shard = {shard('$1')} AND a.id = $1 AND a.deleted_at IS NULL)",
        user_id,
        key,
        fingerprint,
        status,
        response,
    )
    if not stored:
        raise NotFoundError("user")


async def purge(tx: Transaction, older_than: timedelta, *, limit: int) -> int:
    """Delete up to `limit` keys of a certain age and return their number."""
    rows = await tx.fetch(
        "/* all shards: the keys of all users */ SELECT user_id, key FROM idempotency_keys "
        "WHERE created_at < now() - $1::interval LIMIT $2",
        older_than,
        limit,
    )
    users = [row["user_id"] for row in rows]
    return await tx.execute(
        "DELETE FROM idempotency_keys WHERE shard = ANY($1::integer[]) AND user_id = ANY($2::bigint[]) "
        "AND key = ANY($3::text[]) AND created_at < now() - $4::interval",
        shards(users),
        users,
        [row["key"] for row in rows],
        older_than,
    )


def _claim(row: Row, fingerprint: str) -> Claim:
    if row["status"] is None:
        return Claim(state="new")
    if row["fingerprint"] != fingerprint:
        return Claim(state="mismatch")
    return Claim(state="stored", status=row["status"], response=row["response"])
