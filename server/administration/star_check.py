"""The doctor's check of stars: those of PostgreSQL against their logs in Redis, and changes that have stopped."""

from __future__ import annotations

import time
from collections.abc import Sequence

from server.administration.findings import Finding
from server.composition.backends import open_database
from server.config.settings import Settings
from storage.feeds.star_report import StarReport
from storage.ids import encode
from storage.redis.client import open_redis
from storage.stores.social import stars
from storage.stores.social.stars import ListedStar
from workers.jobs.feeds.stars import STUCK_AFTER, seconds_since

MAX_STARS = 10_000
_NAMED = 5  # stars that a finding names


async def inspect_stars(settings: Settings) -> Finding:
    """Check the stars; raise `StorageError` if PostgreSQL or Redis is not reachable."""
    async with open_database(settings, min_size=1, max_size=2) as db:
        listed = await stars.listed(db, limit=MAX_STARS)
    redis = open_redis(settings.redis.url)
    try:
        report = StarReport(redis)
        complete = await report.complete([star.author_id for star in listed if not star.is_changing])
        logged = await report.logged()
    finally:
        await redis.aclose()
    return judge(listed, complete=complete, logged=logged, now=time.time())


def judge(listed: Sequence[ListedStar], *, complete: set[int], logged: set[int], now: float) -> Finding:
    """Return the finding about stars, given the authors with all logs, and those with any, at Unix second `now`."""
    detail = _counted(listed)
    stopped = [star for star in listed if star.is_changing and seconds_since(star.change_id, now) > STUCK_AFTER]
    if stopped:
        return Finding(
            name="stars",
            detail=f"{detail}; under way for more than {STUCK_AFTER / 60:.0f} minutes: {_names(stopped)}",
            remedy="Check that a worker `bulk` runs, and see `picshare deadletters list --queue bulk`. "
            "Then begin again with `picshare stars check USERNAME`.",
        )
    incomplete = [star for star in listed if not star.is_changing and star.author_id not in complete]
    # Beyond so many stars some are not known here.
    left = logged.difference(star.author_id for star in listed) if len(listed) < MAX_STARS else set()
    warnings = []
    if incomplete:
        warnings.append(
            f"Redis has lost logs of {_names(incomplete)}: feeds that pull them are built again as they are read."
        )
    if left:
        ids = ", ".join(encode(author_id) for author_id in sorted(left)[:_NAMED])
        warnings.append(
            f"Redis has logs of {len(left)} accounts that are no stars: run `picshare stars check` for {ids}."
        )
    return Finding(name="stars", detail=detail, warning=" ".join(warnings))


def _counted(listed: Sequence[ListedStar]) -> str:
    changing = sum(star.is_changing for star in listed)
    number = f"{len(listed)} star{'' if len(listed) == 1 else 's'}"
    return f"{number}, of which {changing} are being promoted or demoted" if changing else number


def _names(listed: Sequence[ListedStar]) -> str:
    names = ", ".join(star.username for star in listed[:_NAMED])
    return names if len(listed) <= _NAMED else f"{names} and {len(listed) - _NAMED} more"
