"""Counters that follow at once from what was just committed."""

from __future__ import annotations

import structlog

from storage.cache.counters import CounterCache
from storage.errors import UnavailableError
from storage.models import PhotoCounters

log = structlog.get_logger(__name__)


class Counting:
    """Keep the counters in Redis in step with what was just committed."""

    def __init__(self, engagement: CounterCache) -> None:
        self._engagement = engagement

    async def apply(self, state: PhotoCounters, user_id: int | None) -> None:
        """Apply a state; where Redis is away the notification worker does the same later."""
        try:
            await self._engagement.apply(state, user_id)
        except UnavailableError as error:
            log.warning("counters_not_applied", error=str(error))
