"""A blob store whose calls are measured, and refused while the store behind it does not answer."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from storage.blobs.port import Blob, BlobInfo, Blobs
from storage.circuit import Circuit, CircuitPolicy, Permit
from storage.errors import FullError, NotFoundError, UnavailableError

# A probe is a request of some user, who waits for it; so the pauses are short.
CIRCUIT = CircuitPolicy(failures=5, pause=2.0, max_pause=5.0)
_NEVER_OPEN = CircuitPolicy(failures=sys.maxsize)
_ANSWERS = {"ok", "missing", "full"}


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
    """The blob store `blobs`; with a circuit, calls fail at once while it is open."""

    def __init__(self, blobs: Blobs, metrics: BlobMetrics, circuit: Circuit | None = None) -> None:
        self._blobs = blobs
        self._metrics = metrics
        self._circuit = circuit or Circuit(policy=_NEVER_OPEN)

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
        with self._call("list") as permit:
            async for info in self._blobs.list(prefix):
                # The store has answered. Its caller may take any time between two objects, as a probe must not.
                permit.succeeded()
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
    def _call(self, op: str) -> Iterator[Permit]:
        started, outcome = time.perf_counter(), "failed"
        permit = self._circuit.admit()
        try:
            if permit is None:
                outcome = "refused"
                raise RefusedError("blobs", "it has not answered several times in a row, and is not asked at present")
            with permit:
                try:
                    yield permit
                    outcome = "ok"
                except NotFoundError:
                    outcome = "missing"
                    raise
                except FullError:
                    outcome = "full"
                    raise
                except UnavailableError:
                    outcome = "unavailable"
                    permit.failed(outcome)
                    raise
                finally:
                    if outcome in _ANSWERS:
                        permit.succeeded()
        finally:
            self._metrics.blob_op(op=op, outcome=outcome, seconds=time.perf_counter() - started)
