"""The hashes of the pictures of photos, as they were when their images were made.

They go with their photo or picture. Of photos from before there were hashes, `missing` finds the ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from storage.perceptual_hashes import MediaHash, text_of
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredHash:
    """The hashes of a picture of a photo."""

    photo_id: int
    hash: MediaHash


async def store(tx: Transaction, photo_id: int, hashes: Sequence[MediaHash]) -> None:
    """Store the hashes of a photo's pictures, in place of those of the same originals."""
    await tx.execute(
        f"""
        INSERT INTO media_hashes (shard, photo_id, sha256, pdq, quality)
        SELECT {shard("$1")}, $1, h.sha256, ('x' || h.pdq)::bit(256), h.quality
        FROM unnest($2::text[], $3::text[], $4::smallint[]) AS h (sha256, pdq, quality)
        ON CONFLICT (photo_id, sha256, shard) DO UPDATE SET pdq = excluded.pdq, quality = excluded.quality""",
        photo_id,
        [one.sha256 for one in hashes],
        [one.pdq for one in hashes],
        [one.quality for one in hashes],
    )


async def of_photo(db: Queryable, photo_id: int) -> list[MediaHash]:
    """Return the hashes of a photo's pictures, in any order; none while it is in processing."""
    rows = await db.fetch(
        f"SELECT sha256, pdq::text AS pdq, quality FROM media_hashes WHERE shard = {shard('$1')} AND photo_id = $1",
        photo_id,
    )
    return [_hash_of(row) for row in rows]


async def page(db: Queryable, *, after: tuple[int, str], limit: int) -> list[StoredHash]:
    """Return hashes in the order of photo and SHA-256, from those behind `after` on."""
    rows = await db.fetch(
        """
        /* all shards: a command of an operator */
        SELECT photo_id, sha256, pdq::text AS pdq, quality FROM media_hashes
        WHERE (photo_id, sha256) > ($1, $2) ORDER BY photo_id, sha256 LIMIT $3""",
        *after,
        limit,
    )
    return [StoredHash(photo_id=row["photo_id"], hash=_hash_of(row)) for row in rows]


async def delete(tx: Transaction, photo_id: int, sha256s: Sequence[str]) -> None:
    """Delete the hashes of pictures that a photo has no longer."""
    await tx.execute(
        f"DELETE FROM media_hashes WHERE shard = {shard('$1')} AND photo_id = $1 AND sha256 = ANY($2::text[])",
        photo_id,
        sha256s,
    )


async def missing(db: Queryable, *, after: int, limit: int) -> list[int]:
    """Return the ids of ready photos without hashes, in ascending order, above `after`."""
    rows = await db.fetch(
        """
        /* all shards: a command of an operator */
        SELECT p.id FROM photos p WHERE p.id > $1 AND p.state = 'ready' AND p.deleted_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM media_hashes h WHERE h.shard = p.shard AND h.photo_id = p.id)
        ORDER BY p.id LIMIT $2""",
        after,
        limit,
    )
    return [row["id"] for row in rows]


def _hash_of(row: Row) -> MediaHash:
    return MediaHash(sha256=row["sha256"], pdq=text_of(int(row["pdq"], 2)), quality=row["quality"])
