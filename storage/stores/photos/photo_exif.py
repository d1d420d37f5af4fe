"""The EXIF of photos, which only their authors read: where it was taken only as far as the author asked for it.

Texts of the file that are suggested to the author are kept with it.

Tags have the names of Exif 2.32. The position is under "location", in degrees (WGS 84) and metres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from storage.errors import NotFoundError
from storage.models import LocationMetadata
from storage.moments import photo_time
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard

LOCATION = "location"
# Two decimals of a degree of latitude are 1.1 km.
_COARSE_DECIMALS = 2
_OWN_PHOTO = f"p.shard = {shard('$2')} AND p.id = $2 AND p.author_id = $1 AND p.deleted_at IS NULL"


async def store(
    tx: Transaction,
    photo_id: int,
    exif: Mapping[str, Any],
    *,
    location: LocationMetadata,
    suggestions: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Store the EXIF of a photo, with its position as the author's setting says, and the texts to suggest."""
    kept = with_location(exif, location)
    if not kept and not suggestions:
        return
    await tx.execute(
        f"INSERT INTO photo_exif (shard, photo_id, exif, suggestions) VALUES ({shard('$1')}, $1, $2, $3) "
        "ON CONFLICT (photo_id, shard) DO UPDATE SET exif = excluded.exif, suggestions = excluded.suggestions",
        photo_id,
        kept,
        dict(suggestions),
    )


async def get(db: Queryable, photo_id: int, *, author_id: int) -> dict[str, Any]:
    """Return the EXIF of the author's own photo; raise `NotFoundError("photo")` for any other photo."""
    row = await db.fetchrow(
        "SELECT e.exif FROM photos p LEFT JOIN photo_exif e "
        f"ON e.photo_id = p.id AND e.shard = p.shard AND e.shard = {shard('$2')} WHERE {_OWN_PHOTO}",
        author_id,
        photo_id,
    )
    if row is None:
        raise NotFoundError("photo")
    exif = dict(row["exif"] or {})
    # A worker of an earlier version, which may still run during an upgrade, stores the whole block without a setting.
    exif.pop("GPS", None)
    return exif


async def suggestions(db: Queryable, photo_ids: Sequence[int], *, author_id: int) -> dict[int, dict[str, str]]:
    """Return what is suggested for photos by their ids: for the author's own that have suggestions."""
    rows = await db.fetch(
        "SELECT p.id, e.suggestions FROM photos p "
        f"JOIN photo_exif e ON e.photo_id = p.id AND e.shard = p.shard AND e.shard = {shard('$1')} "
        f"WHERE p.shard = {shard('$1')} AND p.author_id = $1 AND p.id = ANY($2::bigint[]) "
        "AND p.deleted_at IS NULL AND e.suggestions <> '{}'",
        author_id,
        list(photo_ids),
    )
    return {row["id"]: row["suggestions"] for row in rows}


async def of_items(db: Queryable, photo_id: int, *, author_id: int) -> list[tuple[str, dict[str, Any]]]:
    """Return the SHA-256 and the EXIF of each picture of the author's own photo, in order, if it has several."""
    rows = await db.fetch(
        "SELECT i.sha256, i.exif FROM photos p JOIN photo_items i ON i.photo_id = p.id AND i.shard = p.shard "
        f"WHERE {_OWN_PHOTO} ORDER BY i.position",
        author_id,
        photo_id,
    )
    return [(row["sha256"], row["exif"] or {}) for row in rows]


async def delete(tx: Transaction, photo_id: int, *, author_id: int) -> None:
    """Delete the EXIF of all pictures of the author's own photo; raise `NotFoundError("photo")` for any other photo."""
    found = await tx.fetchval(f"SELECT p.id FROM photos p WHERE {_OWN_PHOTO} FOR NO KEY UPDATE", author_id, photo_id)
    if found is None:
        raise NotFoundError("photo")
    await tx.execute(f"DELETE FROM photo_exif WHERE shard = {shard('$1')} AND photo_id = $1", photo_id)
    await tx.execute(f"UPDATE photo_items SET exif = NULL WHERE shard = {shard('$1')} AND photo_id = $1", photo_id)


def taken_at(exif: Mapping[str, Any]) -> datetime | None:
    """Return when a photo was taken by its EXIF: None without an offset, or if they are not valid."""
    local, offset = exif.get("DateTimeOriginal"), exif.get("OffsetTimeOriginal")
    if not isinstance(local, str) or not isinstance(offset, str):
        return None
    try:
        date, time = local.split(" ")
        return photo_time(f"{date.replace(':', '-')}T{time}{offset}")
    except ValueError:
        return None


def with_location(exif: Mapping[str, Any], location: LocationMetadata) -> dict[str, Any]:
    """Return EXIF with its position left out, in two decimals, or as it is."""
    kept = {name: value for name, value in exif.items() if name != LOCATION}
    position = exif.get(LOCATION)
    if position is None or location is LocationMetadata.OFF:
        return kept
    if location is LocationMetadata.COARSE:
        # The altitude would narrow it down again.
        position = {name: round(position[name], _COARSE_DECIMALS) for name in ("latitude", "longitude")}
    return {**kept, LOCATION: position}
