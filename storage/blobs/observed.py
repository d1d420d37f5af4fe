"""A blob store whose calls are measured, and refused while the store behind it does not answer."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from storage.blobs.breaker import Breaker
from storage.blobs.port import Blob, BlobInfo, Blobs
from storage.errors import FullError, NotFoundError, UnavailableError


class RefusedError(UnavailableError):
    """Raised instead of calling a store that has not answered several times in a row."""


class BlobMetrics(Protocol):
    """Counts and times the calls to a blob store."""

    def blob_op(self, *, op: str, outcome: str, seconds: float) -> None:
        """Record a call: `outcome` is ok, missing, full, unavailable, refused or failed."""
        ...


class NoMetrics:
    """Records nothing."""

    def blob_op(self, *, op: str, outcome: str, seconds: float) -> None:
        """Do nothing."""


class ObservedBlobs:
    """The blob store `blobs`; with a breaker, calls fail at once while it is open."""

    def __init__(self, blobs: Blobs, metrics: BlobMetrics, breaker: Breaker | None = None) -> None:
        self._blobs = blobs
        self._metrics = metrics
        self._breaker = breaker

    async def put_file(self, key: str, path: Path, *, content_type: str) -> None:
        """Store a local file."""
        with self._call("put"):
            await self._blobs.put_file(key, path, content_type=content_type)

    async def put(self, key: str, data: bytes | AsyncIterator[bytes], *, content_type: str) -> None:
        """Store bytes."""
        with self._call("put"):
            await self._blobs.put(key, data, content_type=content_type)

    async def open(self, key: str) -> Blob:
        """Return an object."""
        with self._call("open"):
            return await self._blobs.open(key)

    async def head(self, key: str) -> BlobInfo:
        """Return what is known of an object."""
        with self._call("head"):
            return await self._blobs.head(key)

    async def copy(self, source: str, target: str) -> bool:
        """Copy an object."""
        with self._call("copy"):
            return await self._blobs.copy(source, target)

    async def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        """Iterate over the objects under a prefix."""
        with self._call("list"):
            async for info in self._blobs.list(prefix):
                yield info

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects."""
        with self._call("delete"):
            await self._blobs.delete(keys)

    async def sweep(self, older_than: float) -> int:
        """Delete what unfinished writes left."""
        with self._call("sweep"):
            return await self._blobs.sweep(older_than)

    @contextmanager
    def _call(self, op: str) -> Iterator[None]:
        started, breaker = time.perf_counter(), self._breaker
        outcome = "failed"
        try:
            if breaker is not None:
                _require_closed(breaker)
            yield
            outcome = "ok"
        except NotFoundError:
            outcome = "missing"
            raise
        except RefusedError:
            outcome = "refused"
            raise
        except FullError:
            outcome = "full"
            raise
        except UnavailableError:
            outcome = "unavailable"
            raise
        finally:
            if breaker is not None and outcome in {"ok", "missing", "full"}:
                breaker.succeeded()
            elif breaker is not None and outcome == "unavailable":
                breaker.failed()
            self._metrics.blob_op(op=op, outcome=outcome, seconds=time.perf_counter() - started)


def _require_closed(breaker: Breaker) -> None:
    if not breaker.allows():
        raise RefusedError("blobs", "it has not answered several times in a row, and is not asked at present")
