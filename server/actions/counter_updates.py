"""The counters in Redis after a change of a photo's likes or comments was committed."""

from __future__ import annotations

import structlog

from storage.cache.counters import CounterCache
from storage.errors import UnavailableError
from storage.models import PhotoCounters

log = structlog.get_logger(__name__)


async def update_cache(cache: CounterCache, counters: PhotoCounters, liked_by: int | None = None) -> None:
    """Store the counters, and the like of a user unless that is None, so that the next page shows them."""
    try:
        await cache.apply(counters, liked_by)
    except UnavailableError as error:
        # The change is committed, and the notification worker applies the same counters later.
        log.warning("counters_not_applied", error=str(error))
