"""Compare the rows of contents with the objects of the blob store, and mend what can be mended.

Both are in the order of their hashes, so they are compared page by page, without holding either of them. Uploads and
removals go on meanwhile. Therefore young objects are left alone, each difference is looked at again before it is
reported, and everything is mended by the same leases and removals that uploads and deletions use.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from server.administration.media_report import Difference, Fault, Report
from storage.blobs.content_types import UNKNOWN
from storage.blobs.keys import original_key, variants_prefix
from storage.blobs.port import BlobInfo, Blobs
from storage.errors import NotFoundError
from storage.postgres.database import Database
from storage.stores.media import contents
from storage.stores.media.contents import LEASE_TTL, Content, ContentState
from workers.jobs.media.contents import ContentRemover

PAGE = 1000  # rows of one statement
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


class MediaCheck:
    """One comparison; without `mend` it changes nothing."""

    def __init__(self, db: Database, blobs: Blobs, *, mend: bool, page: int = PAGE) -> None:
        self._db = db
        self._page = page
        self._blobs = blobs
        self._mend = mend
        self._remover = ContentRemover(db, blobs)
        self._report = Report()

    async def run(self, *, sample: int | None = None) -> Report:
        """Compare everything; read all originals, or `sample` of them, to compare their hashes."""
        async for sha256, row, info in _joined(self._rows(), self._originals()):
            if not await self._compare(sha256, row, info) and sample is None:
                await self._compare_hash(sha256)
        async for sha256 in self._shas_of_variants():
            await self._compare_variants(sha256)
        for row in await self._sample(sample or 0):
            await self._compare_hash(row.sha256)
        return self._report

    async def _compare(self, sha256: str, row: Content | None, info: BlobInfo | None) -> bool:
        """Report the difference between a row and its object; return whether the object is not to be read."""
        self._report.rows += row is not None
        self._report.originals += info is not None
        if row is not None and info is not None and row.size == info.size:
            return False
        # Both were read at different moments.
        row, info = await contents.find(self._db, sha256), await self._head(sha256)
        if row is not None and row.state is not ContentState.STORED:
            return True  # an upload or a removal is under way, or the janitor ends it
        if row is None and info is not None and not _is_young(info):
            await self._adopt(sha256, info.size, info.content_type, Fault.NO_ROW)
        elif row is not None and info is None:
            await self._without_object(sha256)
        elif row is not None and info is not None and row.size != info.size:
            self._add(sha256, Fault.WRONG_SIZE, f"has {info.size} bytes instead of {row.size}; {_RESTORE}")
        return True

    async def _adopt(self, sha256: str, size: int, content_type: str, fault: Fault) -> None:
        """Make a row for objects without one: to keep them if an image needs them, or else to remove them."""
        needed = await contents.is_referenced(self._db, sha256)
        if needed and fault is Fault.NO_ORIGINAL:
            self._add(sha256, fault, f"an image needs it; {_RESTORE}")
            return
        if not self._mend:
            self._add(sha256, fault, "an image needs it; --mend adds the row" if needed else "--mend deletes it")
            return
        lease = await contents.acquire(self._db, sha256=sha256, size=size, content_type=content_type)
        if lease is None:
            return  # a removal has begun meanwhile
        async with self._db.transaction() as tx:
            await contents.complete(tx, lease)
        removed = await self._remover.remove(sha256)
        self._add(sha256, fault, "deleted" if removed else "row added", mended=True)

    async def _without_object(self, sha256: str) -> None:
        if await contents.is_referenced(self._db, sha256):
            self._add(sha256, Fault.NO_OBJECT, f"an image needs it; {_RESTORE}")
        elif not self._mend:
            self._add(sha256, Fault.NO_OBJECT, "no image needs it; --mend deletes the row")
        elif await self._remover.remove(sha256):
            self._add(sha256, Fault.NO_OBJECT, "row deleted", mended=True)

    async def _compare_variants(self, sha256: str) -> None:
        self._report.with_variants += 1
        if await contents.find(self._db, sha256) is not None or await self._head(sha256) is not None:
            return
        variants = [info async for info in self._blobs.list(variants_prefix(sha256))]
        if variants and not any(_is_young(info) for info in variants):
            await self._adopt(sha256, 0, UNKNOWN, Fault.NO_ORIGINAL)

    async def _compare_hash(self, sha256: str) -> None:
        digest = hashlib.sha256()
        try:
            async for chunk in (await self._blobs.open(original_key(sha256))).chunks():
                digest.update(chunk)
        except NotFoundError:
            return  # it was removed meanwhile, or has been reported already
        self._report.read += 1
        if digest.hexdigest() != sha256:
            self._add(sha256, Fault.WRONG_HASH, f"the bytes have changed; {_RESTORE}")

    async def _sample(self, size: int) -> list[Content]:
        """Return rows from a random hash on: hashes are distributed evenly, so this is a random sample."""
        start = secrets.token_hex(32)
        rows = await contents.page(self._db, after=start, limit=size)
        if len(rows) < size:
            first = await contents.page(self._db, after="", limit=size - len(rows))
            rows += [row for row in first if row.sha256 <= start]
        return rows

    async def _rows(self) -> AsyncIterator[Content]:
        after = ""
        while page := await contents.page(self._db, after=after, limit=self._page):
            for row in page:
                yield row
            after = page[-1].sha256

    async def _originals(self) -> AsyncIterator[tuple[str, BlobInfo]]:
        async for info in self._blobs.list("original/"):
            sha256 = info.key.rpartition("/")[2]
            if _HASH.fullmatch(sha256) and info.key == original_key(sha256):
                yield sha256, info

    async def _shas_of_variants(self) -> AsyncIterator[str]:
        last = ""
        async for info in self._blobs.list("variant/"):
            sha256 = info.key.split("/")[2]
            if sha256 != last and _HASH.fullmatch(sha256) and info.key.startswith(variants_prefix(sha256)):
                yield sha256
                last = sha256

    async def _head(self, sha256: str) -> BlobInfo | None:
        try:
            return await self._blobs.head(original_key(sha256))
        except NotFoundError:
            return None

    def _add(self, sha256: str, fault: Fault, outcome: str, *, mended: bool = False) -> None:
        self._report.differences.append(Difference(sha256=sha256, fault=fault, outcome=outcome, mended=mended))


_RESTORE = "restore it from a backup"


def _is_young(info: BlobInfo) -> bool:
    """Return whether an upload or a worker may still be about to use an object."""
    return datetime.now(UTC) - info.modified < LEASE_TTL


async def _joined(
    rows: AsyncIterator[Content], objects: AsyncIterator[tuple[str, BlobInfo]]
) -> AsyncIterator[tuple[str, Content | None, BlobInfo | None]]:
    """Iterate over hashes that have a row, an object, or both; both inputs are in the order of hashes."""
    row, found = await anext(rows, None), await anext(objects, None)
    while row is not None or found is not None:
        hashes = [row.sha256] if row is not None else []
        sha256 = min(hashes + ([found[0]] if found is not None else []))
        of_row = row if row is not None and row.sha256 == sha256 else None
        info = found[1] if found is not None and found[0] == sha256 else None
        yield sha256, of_row, info
        if of_row is not None:
            row = await anext(rows, None)
        if info is not None:
            found = await anext(objects, None)
