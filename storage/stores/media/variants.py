"""Variants that were made on request: when each was last used, and which ones cannot be made.

The blob store decides which variants there are. A row exists before its object, so that an unused object is always
found; a row without an object, after a crash or a loss, does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from storage.postgres.database import Queryable, Transaction

REFUSED_DAYS = 1  # after which a variant that could not be made is tried again: the cause may have been a lack of time


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredVariant:
    """A variant made on request, by the original's hash, the recipe, and its name "<size>.<format>"."""

    sha256: str
    recipe: int
    name: str


async def record(tx: Transaction, sha256: str, *, recipe: int, sizes: Mapping[str, int]) -> None:
    """Record variants by name with their bytes, as used today; 0 bytes for one that cannot be made."""
    await tx.execute(
        """
        INSERT INTO variants (sha256, recipe, name, bytes, last_used)
        SELECT $1, $2, name, bytes, current_date FROM unnest($3::text[], $4::bigint[]) AS v (name, bytes)
        ON CONFLICT (sha256, recipe, name) DO UPDATE SET bytes = excluded.bytes, last_used = excluded.last_used""",
        sha256,
        recipe,
        list(sizes),
        list(sizes.values()),
    )


async def is_refused(db: Queryable, variant: StoredVariant) -> bool:
    """Return whether a variant could not be made, lately."""
    refused: bool = await db.fetchval(
        "SELECT EXISTS (SELECT 1 FROM variants WHERE sha256 = $1 AND recipe = $2 AND name = $3 "
        "AND bytes = 0 AND last_used >= current_date - $4::integer)",
        variant.sha256,
        variant.recipe,
        variant.name,
        REFUSED_DAYS,
    )
    return refused


async def touch(db: Queryable, variant: StoredVariant) -> None:
    """Record that a variant is used today; writes once a day only."""
    await db.fetch(
        "UPDATE variants SET last_used = current_date "
        "WHERE sha256 = $1 AND recipe = $2 AND name = $3 AND last_used < current_date",
        variant.sha256,
        variant.recipe,
        variant.name,
    )


async def unused(db: Queryable, *, days: int, limit: int) -> Sequence[StoredVariant]:
    """Return the variants that have not been used for longest, all of them for more than `days` days."""
    rows = await db.fetch(
        """
        /* all shards: the janitor's */
        SELECT sha256, recipe, name FROM variants WHERE last_used < current_date - $1::integer
        ORDER BY last_used LIMIT $2""",
        days,
        limit,
    )
    return [StoredVariant(sha256=row["sha256"], recipe=row["recipe"], name=row["name"]) for row in rows]


async def forget(tx: Transaction, variant: StoredVariant, *, days: int) -> bool:
    """Delete the row of a variant whose object is deleted, unless it was used meanwhile; return whether it was."""
    deleted = await tx.execute(
        "DELETE FROM variants WHERE sha256 = $1 AND recipe = $2 AND name = $3 "
        "AND last_used < current_date - $4::integer",
        variant.sha256,
        variant.recipe,
        variant.name,
        days,
    )
    return deleted == 1


async def forget_all(tx: Transaction, sha256: str) -> None:
    """Delete the rows of all variants of an original that is removed."""
    await tx.execute("DELETE FROM variants WHERE sha256 = $1", sha256)
