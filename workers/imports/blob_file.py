"""Objects of the blob store, one after the other, as one file that can be sought, for code that blocks."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence

from storage.blobs.port import Blob

BUFFER = 1024 * 1024  # bytes that are read ahead
_TIMEOUT = 120.0  # seconds for one range of bytes


class BlobFile(io.RawIOBase):
    """A read-only file over blobs, to be used in threads while the loop runs; reading raises what the blobs raise."""

    def __init__(self, blobs: Sequence[Blob], loop: asyncio.AbstractEventLoop) -> None:
        self._blobs = blobs
        self._loop = loop
        self._size = sum(blob.size for blob in blobs)
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Change the position, which may be behind the end."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("a position before the beginning")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read up to the length of `buffer` and return the number of bytes, 0 at the end."""
        wanted = min(len(buffer), self._size - self._position)
        if wanted <= 0:
            return 0
        reading = asyncio.run_coroutine_threadsafe(self._read(self._position, wanted), self._loop)
        try:
            data = reading.result(_TIMEOUT)
        except TimeoutError:
            reading.cancel()
            raise
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    async def _read(self, position: int, wanted: int) -> bytes:
        """Return bytes of the one blob that has the position, fewer than `wanted` at its end."""
        for blob in self._blobs:
            if position < blob.size:
                end = min(blob.size, position + wanted)
                return b"".join([chunk async for chunk in blob.chunks(position, end)])
            position -= blob.size
        return b""
