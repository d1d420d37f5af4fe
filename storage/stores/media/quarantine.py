"""Quarantine: originals that are kept whatever is deleted, and that are not shown, until an operator releases them.

It is a lease of the content without an end, so nothing that removes contents needs to know of it
(`storage.stores.media.contents`).
"""

from __future__ import annotations

from dataclasses import dataclass

from storage.postgres.database import Queryable, Transaction

LEASE = -1  # the id of the lease; those of others are not negative


@dataclass(frozen=True, kw_only=True, slots=True)
class Quarantined:
    """An original in quarantine; `size` in bytes."""

    sha256: str
    size: int
    content_type: str


async def add(tx: Transaction, sha256: str) -> None:
    """Put an original into quarantine; the caller leases it, so that it is not being removed."""
    await tx.execute(
        "INSERT INTO content_leases (id, sha256, expires_at) VALUES ($2, $1, 'infinity') "
        "ON CONFLICT (id, sha256) DO UPDATE SET expires_at = 'infinity'",
        sha256,
        LEASE,
    )


async def has(db: Queryable, sha256: str) -> bool:
    """Return whether an original is in quarantine."""
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT 1 FROM content_leases WHERE sha256 = $1 AND id = $2 AND expires_at = 'infinity')",
        sha256,
        LEASE,
    )
    return found


async def release(tx: Transaction, sha256: str) -> bool:
    """Take an original out of quarantine; return whether it was there. The janitor removes it if nothing uses it."""
    return bool(
        await tx.execute(
            "UPDATE content_leases SET expires_at = now() WHERE sha256 = $1 AND id = $2 AND expires_at = 'infinity'",
            sha256,
            LEASE,
        )
    )


async def page(db: Queryable, *, after: str, limit: int) -> list[Quarantined]:
    """Return originals in quarantine in the order of their hashes, from the one behind `after` on."""
    rows = await db.fetch(
        """
        /* all shards: a list for the operator */
        SELECT c.sha256, c.size, c.content_type FROM content_leases l JOIN contents c ON c.sha256 = l.sha256
        WHERE l.id = $3 AND l.expires_at = 'infinity' AND l.sha256 > $1 ORDER BY l.sha256 LIMIT $2""",
        after,
        limit,
        LEASE,
    )
    return [Quarantined(sha256=row["sha256"], size=row["size"], content_type=row["content_type"]) for row in rows]
