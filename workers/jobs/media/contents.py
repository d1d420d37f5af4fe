"""Remove contents that nothing uses: mark the row, delete the blobs outside any transaction, delete the row."""

from __future__ import annotations

import asyncio

import structlog

from storage.blobs.keys import original_key, variants_prefix
from storage.blobs.port import Blobs
from storage.errors import UnavailableError
from storage.postgres.database import Database
from storage.stores.media import contents
from storage.stores.media.contents import Removal

REMOVAL_TIMEOUT = 60.0  # seconds; much shorter than `contents.REMOVAL_STALE`, after which another process takes over
_BATCH = 100  # contents whose leases expired, of one turn

log = structlog.get_logger(__name__)


class ContentRemover:
    """Remove the blobs and the row of contents; every method can be repeated after a crash at any point."""

    def __init__(self, db: Database, blobs: Blobs, *, timeout: float = REMOVAL_TIMEOUT) -> None:
        self._db = db
        self._blobs = blobs
        self._timeout = timeout

    async def remove(self, sha256: str) -> bool:
        """Remove a content unless an image or a lease needs it; return whether it was removed."""
        async with self._db.transaction() as tx:
            removal = await contents.begin_removal(tx, sha256)
        if removal is None:
            return False
        await self._finish(removal)
        return True

    async def sweep(self) -> int:
        """Remove what unfinished uploads, workers and removals have left; return how many contents."""
        removed = 0
        while expired := await contents.with_expired_leases(self._db, limit=_BATCH):
            for sha256 in expired:
                removed += await self.remove(sha256)
        while removal := await self._take_over():
            await self._finish(removal)
            removed += 1
        return removed

    async def _take_over(self) -> Removal | None:
        async with self._db.transaction() as tx:
            return await contents.take_over_removal(tx)

    async def _finish(self, removal: Removal) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                variants = await self._variants_of(removal)
                # The original last: while it is there, `picshare media verify` finds what else is left of it.
                await self._blobs.delete(variants)
                await self._blobs.delete([original_key(removal.sha256)])
        except TimeoutError as error:
            raise UnavailableError("blobs", f"blobs were not deleted within {self._timeout:g} s") from error
        async with self._db.transaction() as tx:
            await contents.end_removal(tx, removal)
        log.info("blobs_removed", sha256=removal.sha256)

    async def _variants_of(self, removal: Removal) -> list[str]:
        try:
            return [blob.key async for blob in self._blobs.list(variants_prefix(removal.sha256))]
        except UnavailableError:
            # Nothing was deleted, so the repeated job goes on as soon as the store answers. Once a deletion was sent, a
            # store may still carry it out late: then the time of a stale removal has to pass.
            async with self._db.transaction() as tx:
                await contents.yield_removal(tx, removal)
            raise
