"""A ZIP file as a stream: entries are written one after the other, and nothing that was written is kept.

The sizes and checksums of entries follow their bytes and are repeated in the directory at the end, which needs some
hundred bytes of memory for each entry. Everything is ZIP64, so that neither an entry nor the archive has a limit.
"""

from __future__ import annotations

import zipfile
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime

_MODE = 0o644 << 16  # of a file on Unix
_FIRST_YEAR = 1980  # that the format can express


class ZipStream:
    """Writer of an archive; the bytes that its methods return or yield, in this order, are the file."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_STORED, allowZip64=True)
        self.size = 0  # bytes until now

    async def entry(
        self, name: str, chunks: AsyncIterator[bytes], *, modified: datetime, compress: bool
    ) -> AsyncGenerator[bytes]:
        """Add a file and yield the bytes of the archive meanwhile. What `chunks` raises is raised."""
        moment = modified.astimezone(UTC)
        info = zipfile.ZipInfo(name, (max(moment.year, _FIRST_YEAR), *moment.timetuple()[1:6]))
        info.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
        info.external_attr = _MODE
        with self._zip.open(info, "w", force_zip64=True) as writer:
            async for chunk in chunks:
                writer.write(chunk)
                if written := self._taken():
                    yield written
        yield self._taken()

    def close(self) -> bytes:
        """Return the end of the archive, its directory."""
        self._zip.close()
        return self._taken()

    def _taken(self) -> bytes:
        data = self._sink.take()
        self.size += len(data)
        return data


class _Sink:
    """A file that can neither be read nor sought; `take` empties it."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def take(self) -> bytes:
        data = bytes(self._written)
        self._written.clear()
        return data
