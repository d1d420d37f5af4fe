"""Removal of what exports leave: archives that have expired, those of deleted accounts, and rows, in batches."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from storage.blobs.keys import EXPORTS, export_key
from storage.blobs.port import Blobs
from storage.exports import ExportState
from storage.ids import BadIdError, decode, encode
from storage.postgres.database import Database
from storage.stores.archives import exports
from workers.jobs.upkeep.janitor import PeriodicTask

LOST_AFTER = timedelta(days=1)  # longer than the attempts at any job
ROWS_KEPT = timedelta(days=30)
_BATCH = 100
# An object is written before its row is ready.
_UNCLAIMED_AFTER = timedelta(hours=25)


async def remove_archives(db: Database, blobs: Blobs, user_id: int) -> None:
    """Delete the archives of a deleted account; their rows stay, for a repetition."""
    keys = [export_key(encode(export_id)) for export_id in await exports.ids_of(db, user_id)]
    if keys:
        await blobs.delete(keys)


class ExportRetention:
    """Tasks of the janitor; `kept` is how long the rows of exports stay."""

    def __init__(self, db: Database, blobs: Blobs, *, kept: timedelta = ROWS_KEPT) -> None:
        self._kept = kept
        self._db = db
        self._blobs = blobs

    def tasks(self) -> list[PeriodicTask]:
        """Return the tasks."""
        return [
            PeriodicTask(name="expired_exports", period=600, work=self.expire),
            PeriodicTask(name="lost_exports", period=3600, work=self.fail_lost),
            PeriodicTask(name="export_rows", period=86_400, work=self.forget),
            PeriodicTask(name="unclaimed_exports", period=86_400, work=self.remove_unclaimed),
        ]

    async def expire(self) -> int:
        """Delete archives that have expired."""
        total = 0
        while found := await exports.expired(self._db, limit=_BATCH):
            # The objects first: after a crash in between the rows name them again.
            await self._blobs.delete([export_key(encode(export_id)) for export_id in found])
            async with self._db.transaction() as tx:
                await exports.expire(tx, found)
            total += len(found)
        return total

    async def fail_lost(self) -> int:
        """Fail exports whose events became dead letters, so that their users can request others."""
        total = 0
        while done := await self._fail_lost():
            total += done
        return total

    async def forget(self) -> int:
        """Delete the rows of exports that ended long ago."""
        total = 0
        while done := await self._forget():
            total += done
        return total

    async def remove_unclaimed(self) -> int:
        """Delete old archives that no export has, which a crash of both a job and its event may leave."""
        removed, limit = 0, datetime.now(UTC) - _UNCLAIMED_AFTER
        async for blob in self._blobs.list(EXPORTS):
            if blob.modified < limit and not await self._is_claimed(blob.key):
                await self._blobs.delete([blob.key])
                removed += 1
        return removed

    async def _is_claimed(self, key: str) -> bool:
        try:
            export_id = decode(key.removeprefix(EXPORTS).removesuffix(".zip"))
        except BadIdError:
            return False
        claimed = {ExportState.QUEUED, ExportState.RUNNING, ExportState.READY}
        return await exports.state_of(self._db, export_id) in claimed

    async def _fail_lost(self) -> int:
        async with self._db.transaction() as tx:
            return await exports.fail_lost(tx, after=LOST_AFTER, limit=_BATCH)

    async def _forget(self) -> int:
        async with self._db.transaction() as tx:
            return await exports.forget(tx, after=self._kept, limit=_BATCH)
