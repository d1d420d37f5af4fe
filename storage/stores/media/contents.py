"""Contents: the originals in the blob store, named by their SHA-256, and the leases that protect them.

Blobs are read and written outside transactions, so a short transaction comes before and after each blob operation:

    storing ──complete──▶ stored          `acquire` creates the row, or adds a lease to the existing one
       └────────┬──────────┘
          begin_removal                   only if nothing has this original, and without a lease that lasts
                ▼
            deleting ──end_removal──▶ (no row)

A content in state `deleting` cannot be leased, so no blob is written while blobs of the same content are deleted.
A removal locks the row of the content first and decides in later statements, which see what was committed before the
lock was granted.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from storage.errors import UnavailableError
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.stores.media import profile_images, quarantine, variants
from storage.stores.photos import photo_contents

LEASE_TTL = timedelta(hours=1)  # far longer than an original or its variants take to be written
REMOVAL_STALE = timedelta(minutes=5)  # far longer than the timeout of a removal
_CANDIDATES = 10  # removals to be taken over that are tried


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """Protection of one content against removal; it ends with `complete` or `release`, or expires."""

    id: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Removal:
    """The removal of one content in progress; `since` distinguishes it from an earlier or later one."""

    sha256: str
    since: datetime


class ContentState(StrEnum):
    """State of a content, see above."""

    STORING = "storing"
    STORED = "stored"
    DELETING = "deleting"


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """The row of a content; `size` in bytes."""

    sha256: str
    size: int
    content_type: str
    state: ContentState


async def find(db: Queryable, sha256: str) -> Content | None:
    """Return the row of a content, or None."""
    row = await db.fetchrow("SELECT sha256, size, content_type, state FROM contents WHERE sha256 = $1", sha256)
    return _content(row) if row is not None else None


async def page(db: Queryable, *, after: str, limit: int) -> list[Content]:
    """Return contents in the order of their hashes, from the one behind `after` on."""
    rows = await db.fetch(
        """
        /* all shards: a check by an operator */
        SELECT sha256, size, content_type, state FROM contents WHERE sha256 > $1
        ORDER BY sha256 LIMIT $2""",
        after,
        limit,
    )
    return [_content(row) for row in rows]


def _content(row: Row) -> Content:
    return Content(
        sha256=row["sha256"],
        size=row["size"],
        content_type=row["content_type"],
        state=ContentState(row["state"]),
    )


async def is_referenced(db: Queryable, sha256: str) -> bool:
    """Return whether a photo, an avatar or a banner has this original, in any state."""
    return await photo_contents.is_referenced(db, sha256) or await profile_images.is_referenced(db, sha256)


async def is_shown(db: Queryable, sha256: str) -> bool:
    """Return whether signed URLs may show images of this original.

    Not if moderation withholds all its photos, or their accounts are hidden.
    """
    return await photo_contents.is_shown(db, sha256) or await profile_images.is_visible(db, sha256)


async def is_public(db: Queryable, sha256: str) -> bool:
    """Return whether images of this original are visible to all: in a photo, or as an avatar or banner."""
    return await photo_contents.is_public(db, sha256) or await profile_images.is_shown(db, sha256)


async def acquire(
    db: Queryable, *, sha256: str, size: int, content_type: str, ttl: timedelta = LEASE_TTL
) -> Lease | None:
    """Record a content before its blobs are written, and lease it; return None while it is being removed.

    One statement, so it needs no transaction around it.
    """
    # The conflicting row is updated without a change because that locks it and evaluates its newest state.
    lease_id: int | None = await db.fetchval(
        """
        WITH content AS (
            INSERT INTO contents AS c (sha256, size, content_type) VALUES ($1, $2, $3)
            ON CONFLICT (sha256) DO UPDATE SET size = c.size WHERE c.state <> 'deleting'
            RETURNING sha256)
        INSERT INTO content_leases (id, sha256, expires_at) SELECT $5, sha256, now() + $4::interval FROM content
        RETURNING id""",
        sha256,
        size,
        content_type,
        ttl,
        secrets.randbits(63),
    )
    return None if lease_id is None else Lease(id=lease_id, sha256=sha256)


async def lease_stored(db: Queryable, sha256: str, *, ttl: timedelta = LEASE_TTL) -> Lease | None:
    """Lease a content whose original is stored; return None if it is not, is being removed, or is in quarantine."""
    # The lock waits for a removal that is deciding, and the state is then read again.
    lease_id: int | None = await db.fetchval(
        """
        WITH content AS (
            SELECT sha256 FROM contents WHERE sha256 = $1 AND state = 'stored' AND NOT EXISTS (
                SELECT 1 FROM content_leases WHERE sha256 = $1 AND id = $4 AND expires_at = 'infinity')
            FOR SHARE)
        INSERT INTO content_leases (id, sha256, expires_at) SELECT $3, sha256, now() + $2::interval FROM content
        RETURNING id""",
        sha256,
        ttl,
        secrets.randbits(63),
        quarantine.LEASE,
    )
    return None if lease_id is None else Lease(id=lease_id, sha256=sha256)


async def complete(tx: Transaction, lease: Lease) -> None:
    """Mark a leased content as stored and end the lease, in the transaction that creates the photo.

    Raises `UnavailableError` if the lease has expired and the content was or may be removed.
    """
    # The content comes before its lease, the order in which a removal locks them. No lock on the content is needed:
    # until this transaction ends, a removal sees the lease or waits for its row.
    await tx.execute("UPDATE contents SET state = 'stored' WHERE sha256 = $1 AND state = 'storing'", lease.sha256)
    if not await release(tx, lease):
        raise UnavailableError("blobs", "the upload took too long and its original was removed")


async def release(tx: Transaction, lease: Lease) -> bool:
    """End a lease; return False if it had expired and was deleted."""
    sql = "DELETE FROM content_leases WHERE sha256 = $1 AND id = $2"
    return await tx.execute(sql, lease.sha256, lease.id) == 1


async def publishes_rights(db: Queryable, sha256: str) -> bool:
    """Return whether the images of a content may have the creator and the licence that its file names."""
    withheld: bool | None = await db.fetchval("SELECT rights_withheld FROM contents WHERE sha256 = $1", sha256)
    return withheld is False


async def withhold_rights(tx: Transaction, sha256: str) -> None:
    """Keep creator and licence out of the images of a content, as long as the content is stored."""
    await tx.execute("UPDATE contents SET rights_withheld = true WHERE sha256 = $1 AND NOT rights_withheld", sha256)


async def begin_removal(tx: Transaction, sha256: str) -> Removal | None:
    """Mark a content as being deleted, unless an image or a lease needs it; the blobs are deleted after the commit.

    Return None if nothing is to be done: the content is needed, unknown, or already being deleted by another process.
    """
    free = await tx.execute(
        """
        SELECT 1 FROM contents WHERE sha256 = $1 AND (state <> 'deleting' OR deleting_since <= now() - $2::interval)
        FOR UPDATE""",
        sha256,
        REMOVAL_STALE,
    )
    if not free:
        return None
    await tx.execute("DELETE FROM content_leases WHERE sha256 = $1 AND expires_at <= now()", sha256)
    if await tx.fetchval("SELECT 1 FROM content_leases WHERE sha256 = $1 LIMIT 1", sha256):
        return None
    # After the leases: an upload that has ended its lease has committed its photo or profile image with it.
    if await is_referenced(tx, sha256):
        return None
    since: datetime | None = await tx.fetchval(
        """
        UPDATE contents SET state = 'deleting', deleting_since = statement_timestamp()
        WHERE sha256 = $1 RETURNING deleting_since""",
        sha256,
    )
    return None if since is None else Removal(sha256=sha256, since=since)


async def yield_removal(tx: Transaction, removal: Removal) -> None:
    """Let the next attempt take over a removal that has deleted nothing yet, at once."""
    await tx.execute(
        "UPDATE contents SET deleting_since = $2::timestamptz - $3::interval WHERE sha256 = $1 AND deleting_since = $2",
        removal.sha256,
        removal.since,
        REMOVAL_STALE,
    )


async def end_removal(tx: Transaction, removal: Removal) -> None:
    """Delete the row of a content whose blobs are deleted, so that the same bytes can be uploaded again."""
    # If another process has taken the removal over, only that process may end it.
    await tx.execute(
        "DELETE FROM contents WHERE sha256 = $1 AND state = 'deleting' AND deleting_since = $2",
        removal.sha256,
        removal.since,
    )
    await variants.forget_all(tx, removal.sha256)


async def take_over_removal(tx: Transaction, *, stale_after: timedelta = REMOVAL_STALE) -> Removal | None:
    """Take over the oldest removal whose process has crashed or failed; return None if there is none."""
    found = await tx.fetch(
        """
        /* all shards: the janitor's */
        SELECT sha256, deleting_since FROM contents WHERE state = 'deleting' AND deleting_since <= now() - $1::interval
        ORDER BY deleting_since LIMIT $2""",
        stale_after,
        _CANDIDATES,
    )
    for candidate in found:
        # Another process may have taken it over by now, or be doing so.
        row = await tx.fetchrow(
            """
            UPDATE contents SET deleting_since = statement_timestamp() WHERE sha256 = $1 AND deleting_since = (
                SELECT deleting_since FROM contents WHERE sha256 = $1 AND deleting_since = $2 FOR UPDATE SKIP LOCKED)
            RETURNING sha256, deleting_since""",
            candidate["sha256"],
            candidate["deleting_since"],
        )
        if row is not None:
            return Removal(sha256=row["sha256"], since=row["deleting_since"])
    return None


async def with_expired_leases(db: Queryable, *, limit: int) -> list[str]:
    """Return the hashes of contents whose lease expired: an upload or a worker did not finish."""
    rows = await db.fetch(
        "/* all shards: the janitor's */ SELECT DISTINCT sha256 FROM content_leases WHERE expires_at <= now() LIMIT $1",
        limit,
    )
    return [row["sha256"] for row in rows]
