"""Records the use of variants that were made on request, once a day for each process and variant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import structlog

from storage.errors import UnavailableError
from storage.postgres.database import Queryable
from storage.stores.media import variants
from storage.stores.media.variants import StoredVariant

log = structlog.get_logger(__name__)

_MAX_REMEMBERED = 100_000  # variants, some 20 MB


def _today() -> date:
    return datetime.now(UTC).date()


class VariantUse:
    """Remembers what it has recorded today."""

    def __init__(self, db: Queryable, *, today: Callable[[], date] = _today) -> None:
        self._db = db
        self._today = today
        self._day = today()
        self._recorded: set[StoredVariant] = set()

    async def record(self, variant: StoredVariant) -> None:
        """Record that a variant is used today."""
        if (day := self._today()) != self._day or len(self._recorded) >= _MAX_REMEMBERED:
            self._day = day
            self._recorded.clear()
        if variant in self._recorded:
            return
        self._recorded.add(variant)
        try:
            await variants.touch(self._db, variant)
        except UnavailableError as error:
            # The image can be served all the same, and a later request records its use.
            self._recorded.discard(variant)
            log.warning("variant_use_not_recorded", error=str(error))
