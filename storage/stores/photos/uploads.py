"""Uploads that arrive before their photo is created: signed ones in one request, resumable ones (tus) in several.

The bytes are objects under `incoming/` in the blob store; a row says which of them count. A request that appends holds
the lease of the row, which it renews while bytes arrive. Whoever takes over an expired lease changes it, and the parts
of the former holder are not recorded any more. Rows and objects expire together, see `workers.jobs.media.uploads`.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from storage import ids
from storage.errors import ConflictError, NotFoundError
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard

MAX_OPEN = 100  # uploads of one user that are not used yet
USED = "This upload has become a photo already. Upload the file again to post it again."
USED_TTL = timedelta(hours=1)  # of an upload that has become a photo
MAX_PARTS = 1_000  # requests of one resumable upload
_UPLOAD = f"shard = {shard('$1')} AND id = $1"
_COLUMNS = (
    "id, user_id, way, content_type, bytes, sha256, received, received_sha256, parts, metadata, "
    "used_at IS NOT NULL AS used, expires_at"
)


class UploadWay(StrEnum):
    """How the bytes of an upload arrive."""

    SIGNED = "signed"
    TUS = "tus"


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """An upload; `bytes` is its announced size, `received` the bytes so far, `parts` the keys of their objects.

    `sha256` (hex) is the one that the client declared, if it did; `received_sha256` that of the bytes, if one request
    brought them all. `metadata` is that of tus.
    """

    id: int
    user_id: int
    way: UploadWay
    content_type: str | None
    bytes: int
    sha256: str | None
    received: int
    received_sha256: str | None
    parts: tuple[str, ...]
    metadata: str
    used: bool
    expires_at: datetime


async def create(
    tx: Transaction,
    *,
    user_id: int,
    way: UploadWay,
    size: int,
    ttl: timedelta,
    content_type: str | None = None,
    sha256: str | None = None,
    metadata: str = "",
) -> Upload:
    """Announce an upload of `size` bytes; raise `NotFoundError("user")`, and `ConflictError` too_many_uploads."""
    open_ = await tx.fetchval(
        f"SELECT count(*) FROM uploads WHERE shard = {shard('$1')} AND user_id = $1 AND used_at IS NULL", user_id
    )
    if open_ >= MAX_OPEN:
        raise ConflictError(
            "too_many_uploads", f"{MAX_OPEN} uploads wait for their photos. Use or end one of them, or wait a day."
        )
    row = await tx.insert(
        ids.shard_of(user_id),
        f"""
        WITH a AS (
            SELECT shard, id FROM users WHERE shard = {shard("$1")} AND id = $2 AND deleted_at IS NULL FOR KEY SHARE)
        INSERT INTO uploads (shard, id, user_id, way, bytes, content_type, sha256, metadata, expires_at)
        SELECT a.shard, $1, a.id, $3, $4, $5, $6, $7, now() + $8::interval FROM a
        ON CONFLICT (id, shard) DO NOTHING RETURNING {_COLUMNS}""",
        user_id,
        way,
        size,
        content_type,
        sha256,
        metadata,
        ttl,
    )
    if row is None:
        raise NotFoundError("user")
    return _upload_of(row)


async def get(db: Queryable, upload_id: int, *, user_id: int) -> Upload:
    """Return a user's upload that has not expired; raise `NotFoundError("upload")` for any other."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM uploads WHERE {_UPLOAD} AND user_id = $2 AND expires_at > now()", upload_id, user_id
    )
    if row is None:
        raise NotFoundError("upload")
    return _upload_of(row)


async def set_metadata(db: Queryable, upload_id: int, *, user_id: int, metadata: str) -> None:
    """Replace the metadata of a user's upload that is not used yet; raise `NotFoundError("upload")`."""
    changed: int | None = await db.fetchval(
        f"UPDATE uploads SET metadata = $3 WHERE {_UPLOAD} AND user_id = $2 AND used_at IS NULL RETURNING id",
        upload_id,
        user_id,
        metadata,
    )
    if changed is None:
        raise NotFoundError("upload")


async def acquire(db: Queryable, upload_id: int, *, ttl: timedelta) -> int | None:
    """Lease an upload to append to it, and return the lease; None while another request holds it."""
    lease: int | None = await db.fetchval(
        f"UPDATE uploads SET lease = $2, lease_until = now() + $3::interval WHERE {_UPLOAD} AND used_at IS NULL "
        "AND (lease_until IS NULL OR lease_until < now()) RETURNING lease",
        upload_id,
        secrets.randbits(62),
        ttl,
    )
    return lease


async def renew(db: Queryable, upload_id: int, lease: int, *, ttl: timedelta) -> bool:
    """Extend a lease; return False once another request has it."""
    renewed: int | None = await db.fetchval(
        f"UPDATE uploads SET lease_until = now() + $3::interval WHERE {_UPLOAD} AND lease = $2 RETURNING id",
        upload_id,
        lease,
        ttl,
    )
    return renewed is not None


async def append(
    db: Queryable, upload_id: int, lease: int, *, offset: int, key: str, size: int, whole_sha256: str | None
) -> bool:
    """Record a stored part and end the lease; return False, and record nothing, once another request has the lease.

    `whole_sha256` is the hash of a part that is the whole upload, or None.
    """
    appended: int | None = await db.fetchval(
        f"""
        UPDATE uploads SET received = received + $5, parts = parts || $4::jsonb,
            received_sha256 = $6, lease = NULL, lease_until = NULL
        WHERE {_UPLOAD} AND lease = $2 AND received = $3 RETURNING id""",
        upload_id,
        lease,
        offset,
        [key],
        size,
        whole_sha256,
    )
    return appended is not None


async def release(db: Queryable, upload_id: int, lease: int) -> None:
    """End a lease without a part."""
    await db.fetchval(
        f"UPDATE uploads SET lease = NULL, lease_until = NULL WHERE {_UPLOAD} AND lease = $2 RETURNING id",
        upload_id,
        lease,
    )


async def use(tx: Transaction, upload_id: int, *, kept: timedelta | None = None) -> None:
    """Mark an upload as used, in the transaction that uses it; raise `ConflictError` upload_used.

    The row stays for an hour at most, so that a second use gets this error, or is `kept` for so long with its bytes.
    """
    # At the database's time; on a cluster no expression of one statement may choose between the two.
    until = "now() + $2::interval" if kept is not None else "least(expires_at, now() + $2::interval)"
    used = await tx.execute(
        f"UPDATE uploads SET used_at = now(), expires_at = {until} WHERE {_UPLOAD} AND used_at IS NULL",
        upload_id,
        USED_TTL if kept is None else kept,
    )
    if not used:
        raise ConflictError("upload_used", USED)


async def delete(db: Queryable, upload_id: int) -> bool:
    """Delete the row of an upload; return whether there was one."""
    deleted: int | None = await db.fetchval(f"DELETE FROM uploads WHERE {_UPLOAD} RETURNING id", upload_id)
    return deleted is not None


async def expired(db: Queryable, *, limit: int) -> Sequence[int]:
    """Return ids of expired uploads, the oldest first."""
    rows = await db.fetch(
        "/* all shards: the janitor's */ SELECT id FROM uploads WHERE expires_at < now() ORDER BY expires_at LIMIT $1",
        limit,
    )
    return [row["id"] for row in rows]


async def exists(db: Queryable, upload_id: int) -> bool:
    """Return whether there is a row of an upload, also an expired one."""
    found: bool = await db.fetchval(f"SELECT EXISTS (SELECT 1 FROM uploads WHERE {_UPLOAD})", upload_id)
    return found


def _upload_of(row: Row) -> Upload:
    return Upload(**{**dict(row), "way": UploadWay(row["way"]), "parts": tuple(row["parts"])})
