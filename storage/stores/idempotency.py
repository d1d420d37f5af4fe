"""Idempotency keys: the first request with a key does the work, every repeat gets its response.

A key belongs to one user. Claim, work and response are one transaction. The claim is an advisory lock of that
transaction, so it ends with the process that holds it, and the response is stored together with the effect or not at
all. No claim has to expire or to be released.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from storage.errors import NotFoundError
from storage.postgres.database import Queryable, Transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """State of a key: "new" (do the work), "running", "stored" (with the response), or "mismatch"."""

    state: Literal["new", "running", "stored", "mismatch"]
    status: int | None = None
    response: bytes | None = None


async def claim(tx: Transaction, *, user_id: int, key: str, fingerprint: str) -> Claim:
    """Claim a key until the end of `tx` for a request whose content has `fingerprint`.

    Of concurrent claims exactly one is "new". Until it ends, its fingerprint is not visible to the others: they are
    "running" whatever theirs is.
    """
    # A collision of two hashes is harmless: one of the two requests is refused as "running" and repeated.
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
    """Store the response of the work that was claimed and done in `tx`.

    Raises `NotFoundError("user")` once the account is deleted.
    """
    stored = await tx.execute(
        "INSERT INTO idempotency_keys (user_id, key, fingerprint, status, response) "
        "SELECT id, $2, $3, $4, $5 FROM users WHERE id = $1 AND deleted_at IS NULL FOR KEY SHARE",
        user_id,
        key,
        fingerprint,
        status,
        response,
    )
    if not stored:
        raise NotFoundError("user")


async def purge(tx: Transaction, older_than: timedelta) -> int:
    """Delete keys of a certain age and return their number."""
    return await tx.execute("DELETE FROM idempotency_keys WHERE created_at < now() - $1::interval", older_than)
