"""Idempotency keys: the first request with a key does the work, every repeat gets its answer.

A key belongs to one person. Claim, work and answer are one transaction: the claim is an advisory lock of
that transaction, so that it ends with the process that held it, and the answer is kept with the effect or
not at all. Nothing has to expire or to be given back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from storage.postgres.database import Queryable, Transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """Where a key stands: "new" (do the work), "running", "stored" (with the answer), or "mismatch"."""

    state: Literal["new", "running", "stored", "mismatch"]
    status: int | None = None
    response: bytes | None = None


async def claim(tx: Transaction, *, user_id: int, key: str, fingerprint: str) -> Claim:
    """Claim a key, until the end of `tx`, for a request whose content has `fingerprint`.

    Of many at once exactly one is "new". While it runs its content is not known to the others, which are
    "running" whatever they ask.
    """
    # Two keys that share a hash merely wait for each other.
    if not await tx.fetchval(
        "SELECT pg_try_advisory_xact_lock(hashtextextended($1 || ':' || $2, 0))", str(user_id), key
    ):
        return Claim(state="running")
    return await find(tx, user_id=user_id, key=key, fingerprint=fingerprint)


async def find(db: Queryable, *, user_id: int, key: str, fingerprint: str) -> Claim:
    """Return the state of a key without claiming it; "new" if no request with it has finished."""
    row = await db.fetchrow(
        "SELECT fingerprint, status, response FROM idempotency_keys WHERE user_id = $1 AND key = $2", user_id, key
    )
    if row is None:
        return Claim(state="new")
    if row["fingerprint"] != fingerprint:
        return Claim(state="mismatch")
    return Claim(state="stored", status=row["status"], response=row["response"])


async def finish(tx: Transaction, *, user_id: int, key: str, fingerprint: str, status: int, response: bytes) -> None:
    """Keep the answer of the work that was claimed and done in `tx`."""
    await tx.execute(
        "INSERT INTO idempotency_keys (user_id, key, fingerprint, status, response) VALUES ($1, $2, $3, $4, $5)",
        user_id,
        key,
        fingerprint,
        status,
        response,
    )


async def purge(tx: Transaction, older_than: timedelta) -> int:
    """Forget keys of a certain age and return how many."""
    return await tx.execute("DELETE FROM idempotency_keys WHERE created_at < now() - $1::interval", older_than)
