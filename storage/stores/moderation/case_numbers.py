"""How many cases and appeals wait for moderators."""

from __future__ import annotations

from typing import NamedTuple

from storage.postgres.database import Queryable


class Waiting(NamedTuple):
    """The numbers of cases by state, and the age of the oldest in seconds, 0 without one."""

    opened: int
    escalated: int
    oldest_seconds: float


async def waiting(db: Queryable) -> Waiting:
    """Return what waits for a decision."""
    (row,) = await db.fetch(
        "/* all shards: the numbers of all cases */ SELECT count(*) FILTER (WHERE state = 'open') AS opened, "
        "count(*) FILTER (WHERE state = 'escalated') AS escalated, "
        "coalesce(extract(epoch FROM now() - min(opened_at)), 0)::float8 AS oldest_seconds "
        "FROM moderation_cases WHERE state <> 'closed'"
    )
    return Waiting(**dict(row))


async def pending_appeals(db: Queryable) -> int:
    """Return how many appeals wait for an answer."""
    found: int = await db.fetchval(
        "/* all shards: the numbers of all cases */ SELECT count(*) FROM moderation_appeals WHERE state = 'pending'"
    )
    return found
