"""Requests for variants that are not stored: each is made once, by a worker, for all that ask at that moment.

Requests of one process share a task. Of several processes the one whose claim in Redis succeeds emits the event to the
queue "variants", or "video"; all of them wait for the state there. Without Redis each process emits an event, and looks
into the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum

import structlog

from storage.blobs.keys import variant_key
from storage.blobs.port import Blobs
from storage.blobs.variants import Variant, VariantRegistry
from storage.cache.variant_states import VariantState, VariantStates
from storage.errors import NotFoundError, UnavailableError
from storage.events import VariantWanted, VideoWanted
from storage.postgres.database import Database
from storage.stores.media import variants
from storage.stores.media.variants import StoredVariant

log = structlog.get_logger(__name__)

TIMEOUT = 5.0  # seconds
# Variants that a process waits for at once. Beyond, requests end as late ones do: anyone may ask for the variants of
# all public photos, and neither tasks nor events may pile up for that.
MAX_WAITING = 256
_PAUSES = (0.02, 1.3, 0.25)  # seconds: the first pause between two looks, its growth, and the longest


class VariantResult(StrEnum):
    """What became of a request, as metrics name it; `LATE` is not yet known after the timeout."""

    HIT = "hit"
    MADE = "made"
    WAITED = "waited"
    REFUSED = "refused"
    LATE = "late"


class VariantRequests:
    """The requests of this process; `timeout` in seconds, `max_waiting` is a number of variants."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        registry: VariantRegistry,
        states: VariantStates,
        *,
        timeout: float = TIMEOUT,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._registry = registry
        self._states = states
        self._timeout = timeout
        self._max_waiting = max_waiting
        self._tasks: dict[str, asyncio.Task[VariantResult]] = {}

    async def obtain(self, sha256: str, variant: Variant) -> VariantResult:
        """Have a variant made and wait for it; raise `UnavailableError` when the database does not answer."""
        key = f"{sha256}/{variant.name}"
        task = self._tasks.get(key)
        if task is not None:
            result = await asyncio.shield(task)
            return VariantResult.WAITED if result is VariantResult.MADE else result
        if len(self._tasks) >= self._max_waiting:
            return VariantResult.LATE
        task = self._tasks[key] = asyncio.create_task(self._request(sha256, variant))
        task.add_done_callback(lambda done: self._end(key, done))
        # Shielded, because the task is shared: a client that goes away must not end it for the others.
        return await asyncio.shield(task)

    def _end(self, key: str, task: asyncio.Task[VariantResult]) -> None:
        del self._tasks[key]
        if not task.cancelled():
            task.exception()  # is raised by those that wait, of which there may be none any more

    async def _request(self, sha256: str, variant: Variant) -> VariantResult:
        if await variants.is_refused(
            self._db, StoredVariant(sha256=sha256, recipe=self._registry.recipe, name=variant.name)
        ):
            return VariantResult.REFUSED
        try:
            async with asyncio.timeout(self._timeout):
                return await self._wait(sha256, variant)
        except TimeoutError:
            return VariantResult.LATE

    async def _wait(self, sha256: str, variant: Variant) -> VariantResult:
        emitted = False
        for pause in _pauses():
            match await self._state(sha256, variant, emitted=emitted):
                case None:
                    await self._emit(sha256, variant)
                    emitted = True
                case VariantState.MADE:
                    return VariantResult.MADE if emitted else VariantResult.WAITED
                case VariantState.REFUSED:
                    return VariantResult.REFUSED
                case VariantState.UNAVAILABLE:
                    return VariantResult.LATE
            await asyncio.sleep(pause)
        raise AssertionError("the pauses do not end")

    async def _state(self, sha256: str, variant: Variant, *, emitted: bool) -> VariantState | None:
        """Return the state of a variant, None if this process has to emit its event."""
        try:
            return await self._states.claim(f"{sha256}/{variant.name}")
        except UnavailableError:
            if not emitted:
                return None
        try:
            await self._blobs.head(variant_key(sha256, self._registry.recipe, variant.name))
        except NotFoundError:
            return VariantState.WANTED
        return VariantState.MADE

    async def _emit(self, sha256: str, variant: Variant) -> None:
        recipe = self._registry.recipe
        try:
            async with self._db.transaction() as tx:
                if variant.video:
                    tx.emit(VideoWanted(sha256=sha256, recipe=recipe))
                else:
                    tx.emit(VariantWanted(sha256=sha256, recipe=recipe, name=variant.name))
        except BaseException:
            # Also after the timeout. With a claim that stays, all processes would wait for an event that was not
            # emitted; that of an event that was emitted after all costs a second event.
            with suppress(UnavailableError):  # without Redis there is no claim
                await self._states.release(f"{sha256}/{variant.name}")
            raise


def _pauses() -> Iterator[float]:
    pause, growth, longest = _PAUSES
    while True:
        yield pause
        pause = min(pause * growth, longest)
