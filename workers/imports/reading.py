"""What an archive describes, and the files of a photo; in threads, since both block."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from storage.blobs.port import Blob
from workers.imports import instagram, picshare
from workers.imports.archive import Archive
from workers.imports.blob_file import BUFFER, BlobFile
from workers.imports.items import ArchivedPhoto, Contents
from workers.imports.port import BadArchiveError

_UNKNOWN = (
    "This archive has no photos that can be imported. Upload an export of PicShare, or one of Instagram in the "
    "format JSON."
)


class ImportReader:
    """Reader of an archive in the blob store, of which it keeps the list of files in memory and nothing else."""

    def __init__(self, archive: Archive, contents: Contents) -> None:
        self._archive = archive
        self.contents = contents

    @classmethod
    async def open(cls, blobs: Sequence[Blob]) -> ImportReader:
        """Open the archive in these blobs, one after the other; raise `BadArchiveError` or `UnavailableError`."""
        file = BlobFile(blobs, asyncio.get_running_loop())
        return await asyncio.to_thread(cls._open, file)

    @classmethod
    def _open(cls, file: BlobFile) -> ImportReader:
        archive = Archive(cast("io.BufferedReader", io.BufferedReader(file, BUFFER)))
        names = set(archive.names())
        if picshare.is_one(names):
            return cls(archive, picshare.contents(archive))
        if found := instagram.descriptions(names):
            return cls(archive, instagram.contents(archive, found))
        raise BadArchiveError(_UNKNOWN)

    @asynccontextmanager
    async def files(self, photo: ArchivedPhoto, *, limit: int) -> AsyncIterator[list[Path]]:
        """Yield the files of a photo, of at most `limit` bytes each, which are deleted on leaving.

        Raises `RefusedItemError`.
        """
        with TemporaryDirectory(prefix="picshare-import-") as folder:
            # Their names in the archive are of no use here, and may be anything.
            paths = [Path(folder) / str(place) for place in range(len(photo.files))]
            for path, file in zip(paths, photo.files, strict=True):
                await asyncio.to_thread(self._archive.extract, file.name, path, limit=limit)
            yield paths
