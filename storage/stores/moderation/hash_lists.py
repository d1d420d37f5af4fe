"""Lists of the hashes of known images: load, count and remove them, and find the pictures that they name.

A list is loaded and removed in batches of one transaction each, and can be used meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from storage.abuse import AbuseAction, HashEntries, HashList, HashMatch
from storage.errors import NotFoundError
from storage.perceptual_hashes import MAX_DISTANCE, MediaHash, bands, nearby_bands, orientations, text_of
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.reports import Category

_BATCH = 1_000  # entries that are removed in one transaction


async def create(tx: Transaction, name: str, action: AbuseAction, category: Category) -> int:
    """Create a list, or change action and category of an existing one; return its id."""
    list_id: int = await tx.fetchval(
        "INSERT INTO hash_lists (name, action, category) VALUES ($1, $2, $3) "
        "ON CONFLICT (name) DO UPDATE SET action = excluded.action, category = excluded.category RETURNING id",
        name,
        action.value,
        category.value,
    )
    return list_id


async def add(tx: Transaction, list_id: int, entries: HashEntries) -> int:
    """Add entries to a list; return the number of those that it did not have."""
    originals = await tx.fetch(
        "INSERT INTO hash_originals (sha256, list_id) SELECT DISTINCT e.sha256, $1::integer "
        "FROM unnest($2::text[]) AS e (sha256) ORDER BY e.sha256 ON CONFLICT DO NOTHING RETURNING 1",
        list_id,
        entries.originals,
    )
    images = await tx.fetch(
        "INSERT INTO hash_images (pdq, list_id) SELECT DISTINCT ('x' || e.pdq)::bit(256) AS pdq, $1::integer "
        "FROM unnest($2::text[]) AS e (pdq) ORDER BY pdq ON CONFLICT DO NOTHING RETURNING id, pdq::text AS pdq",
        list_id,
        entries.images,
    )
    await tx.execute(
        "INSERT INTO hash_bands (band, image_id, pdq) SELECT e.band, e.image_id, i.pdq "
        "FROM unnest($1::integer[], $2::bigint[]) AS e (band, image_id) JOIN hash_images i ON i.id = e.image_id",
        *_parts(images),
    )
    return len(originals) + len(images)


async def all_lists(db: Queryable) -> list[HashList]:
    """Return all lists by name."""
    rows = await db.fetch(
        "SELECT l.name, l.action, l.category, "
        "(SELECT count(*) FROM hash_originals o WHERE o.list_id = l.id) AS originals, "
        "(SELECT count(*) FROM hash_images i WHERE i.list_id = l.id) AS images FROM hash_lists l ORDER BY l.name"
    )
    return [HashList(**dict(row) | _meaning(row)) for row in rows]


async def find(db: Queryable, name: str) -> int:
    """Return the id of a list; raise `NotFoundError("list")`."""
    list_id: int | None = await db.fetchval("SELECT id FROM hash_lists WHERE name = $1", name)
    if list_id is None:
        raise NotFoundError("list")
    return list_id


async def remove_some(tx: Transaction, list_id: int, *, limit: int = _BATCH) -> int:
    """Remove entries of a list, and the list itself once it has none; return the number of entries."""
    images = await tx.fetch(
        "DELETE FROM hash_images WHERE list_id = $1 AND pdq IN ("
        "SELECT pdq FROM hash_images WHERE list_id = $1 LIMIT $2) RETURNING id, pdq::text AS pdq",
        list_id,
        limit,
    )
    await tx.execute(
        "DELETE FROM hash_bands b USING unnest($1::integer[], $2::bigint[]) AS e (band, image_id) "
        "WHERE b.band = e.band AND b.image_id = e.image_id",
        *_parts(images),
    )
    originals = await tx.execute(
        "DELETE FROM hash_originals WHERE list_id = $1 AND sha256 IN ("
        "SELECT sha256 FROM hash_originals WHERE list_id = $1 LIMIT $2)",
        list_id,
        limit,
    )
    if not (images or originals):
        await tx.execute("DELETE FROM hash_lists WHERE id = $1", list_id)
    return len(images) + originals


async def matches(db: Queryable, hashes: Sequence[MediaHash]) -> list[HashMatch]:
    """Return what the lists have of these pictures, one match for each picture and list: its original, or the nearest.

    A picture is found as well if it is turned or mirrored. Its PDQ is not compared if its quality is too low.
    """
    found = await _of_originals(db, [one.sha256 for one in hashes])
    for one in hashes:
        if one.comparable:
            found += await _of_image(db, one)
    nearest: dict[tuple[str, str], HashMatch] = {}
    for match in sorted(found, key=lambda each: -1 if each.distance is None else each.distance):
        nearest.setdefault((match.sha256, match.list_name), match)
    return list(nearest.values())


async def _of_originals(db: Queryable, sha256s: Iterable[str]) -> list[HashMatch]:
    rows = await db.fetch(
        "SELECT l.name, l.action, l.category, o.sha256 FROM hash_originals o JOIN hash_lists l ON l.id = o.list_id "
        "WHERE o.sha256 = ANY($1::text[])",
        list(sha256s),
    )
    return [
        HashMatch(list_name=row["name"], sha256=row["sha256"], entry=row["sha256"], **_meaning(row)) for row in rows
    ]


async def _of_image(db: Queryable, image: MediaHash) -> list[HashMatch]:
    # Measured with 200,000 entries: a third of the time of a comparison with each entry, for all orientations.
    shown = orientations(image.pdq)
    parts = [(place, band) for place, pdq in enumerate(shown, 1) for band in nearby_bands(pdq)]
    rows = await db.fetch(
        """
        WITH near AS MATERIALIZED (
            SELECT b.image_id, min(d.distance)::integer AS distance
            FROM unnest($2::integer[], $3::integer[]) AS e (place, band) JOIN hash_bands b ON b.band = e.band
            CROSS JOIN LATERAL (
                SELECT bit_count(b.pdq # ('x' || ($1::text[])[e.place])::bit(256)) AS distance) d
            WHERE d.distance <= $4 GROUP BY b.image_id)
        SELECT l.name, l.action, l.category, i.pdq::text AS pdq, n.distance
        FROM near n JOIN hash_images i ON i.id = n.image_id JOIN hash_lists l ON l.id = i.list_id""",
        shown,
        [place for place, _ in parts],
        [band for _, band in parts],
        MAX_DISTANCE,
    )
    return [
        HashMatch(
            list_name=row["name"],
            sha256=image.sha256,
            entry=text_of(int(row["pdq"], 2)),
            distance=row["distance"],
            **_meaning(row),
        )
        for row in rows
    ]


def _meaning(row: Row) -> dict[str, Any]:
    return {"action": AbuseAction(row["action"]), "category": Category(row["category"])}


def _parts(images: Sequence[Row]) -> tuple[list[int], list[int]]:
    """Return the parts of images, and the id of the image of each."""
    found = [(band, row["id"]) for row in images for band in bands(text_of(int(row["pdq"], 2)))]
    return [band for band, _ in found], [image_id for _, image_id in found]
