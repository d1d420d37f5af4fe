"""Idempotency keys: the first request with a key does the work, every repeat gets its answer.

A key belongs to one person. The claim is committed before the work begins, so that others see it; a
claim whose process died is taken over after a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from storage.database import Transaction

TAKEOVER = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """Where a key stands: "new" (do the work), "running", "stored" (with the answer), or "mismatch"."""

    state: Literal["new", "running", "stored", "mismatch"]
    status: int | None = None
    response: bytes | None = None


async def claim(tx: Transaction, *, user_id: int, key: str, fingerprint: str) -> Claim:
    """Claim a key for a request whose content has `fingerprint`; of many at once exactly one is "new"."""
    first = await tx.execute(
        "INSERT INTO idempotency_keys (user_id, key, fingerprint) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        user_id,
        key,
        fingerprint,
    )
    if first:
        return Claim(state="new")
    row = await tx.fetchrow(
        """
        SELECT fingerprint, status, response, created_at < clock_timestamp() - $3::interval AS stale
        FROM idempotency_keys WHERE user_id = $1 AND key = $2 FOR UPDATE""",
        user_id,
        key,
        TAKEOVER,
    )
    if row is None:
        # Released between the two statements: whoever comes again starts anew.
        return Claim(state="running")
    if row["fingerprint"] != fingerprint:
        return Claim(state="mismatch")
    if row["status"] is not None:
        return Claim(state="stored", status=row["status"], response=row["response"])
    if not row["stale"]:
        return Claim(state="running")
    await tx.execute(
        "UPDATE idempotency_keys SET created_at = clock_timestamp() WHERE user_id = $1 AND key = $2", user_id, key
    )
    return Claim(state="new")


async def finish(tx: Transaction, *, user_id: int, key: str, status: int, response: bytes) -> None:
    """Keep the answer of the work; belongs into the transaction that did it, where there is one."""
    await tx.execute(
        "UPDATE idempotency_keys SET status = $3, response = $4 WHERE user_id = $1 AND key = $2 AND status IS NULL",
        user_id,
        key,
        status,
        response,
    )


async def release(tx: Transaction, *, user_id: int, key: str) -> None:
    """Give a claim back after work that failed, so that a repeat may try again."""
    await tx.execute("DELETE FROM idempotency_keys WHERE user_id = $1 AND key = $2 AND status IS NULL", user_id, key)


async def purge(tx: Transaction, older_than: timedelta) -> int:
    """Forget keys of a certain age and return how many."""
    return await tx.execute("DELETE FROM idempotency_keys WHERE created_at < now() - $1::interval", older_than)
