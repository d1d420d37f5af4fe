"""The port of the blob store: whole objects under keys, written once and read many times.

The keys are in `storage.blobs.keys`. The adapters are in this package and pass one contract suite. No adapter
coordinates writers with deletions of the same content; `storage.stores.media.contents` does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class BlobInfo:
    """What is known of a stored object without reading it: its size in bytes, its type, and when it was written.

    `sha256` is the hash of its bytes in hex if the store has verified it, or None.
    """

    key: str
    size: int
    content_type: str
    modified: datetime
    sha256: str | None = None


class Chunks(Protocol):
    """Iterates over the bytes of an object from `start` up to but not including `end`, or to its end."""

    def __call__(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Return an iterator.

        It raises `NotFoundError` if the object was deleted meanwhile, and `UnavailableError` if the store does not
        answer any more or the object was replaced. The bytes of two objects are never mixed.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Blob:
    """A stored object: its size in bytes, its type, when it was written, and its bytes as an iterator of chunks.

    `path` is its local file, for sendfile and the decoder, or None if there is none.
    """

    size: int
    content_type: str
    modified: datetime
    path: Path | None
    chunks: Chunks


class Blobs(Protocol):
    """A store of objects under keys.

    Guarantees: an object is visible whole or not at all, also after a crash. It is durable when the method that wrote
    it returns. The types of `storage.blobs.content_types` are kept; any other may be returned as
    `application/octet-stream`. A key consists of lower-case words and safe characters joined by `/`; writing under any
    other key is a `ValueError`, and reading finds nothing there.
    Methods raise `UnavailableError("blobs")` when the store does not answer, and `FullError` when it has no space left;
    reading and deleting need none.
    """

    async def put_file(self, key: str, path: Path, *, content_type: str) -> None:
        """Store a local file; it is moved if possible, so afterwards `path` may not exist any more."""
        ...

    async def put(self, key: str, data: bytes | AsyncIterator[bytes], *, content_type: str) -> None:
        """Store bytes; an iterator that raises leaves no object."""
        ...

    async def open(self, key: str) -> Blob:
        """Return an object; raise `NotFoundError("blob")`."""
        ...

    async def head(self, key: str) -> BlobInfo:
        """Return what is known of an object; raise `NotFoundError("blob")`."""
        ...

    async def copy(self, source: str, target: str) -> bool:
        """Copy an object without reading it; return False, and change nothing, if there is one under `target`.

        Raises `NotFoundError("blob")` if there is none under `source`.
        """
        ...

    def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        """Iterate over the objects whose keys begin with `prefix`, which ends with `/`, in the order of their keys.

        Their types may be missing, i.e. be `application/octet-stream`.
        """
        ...

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, as far as there are any."""
        ...

    async def sweep(self, older_than: float) -> int:
        """Delete what unfinished writes left more than `older_than` seconds ago; return the number of files."""
        ...


async def check_answers(blobs: Blobs) -> None:
    """Raise `UnavailableError` if a store does not answer."""
    # A listing, because only its errors distinguish a missing bucket from a missing object.
    async for _ in blobs.list("incoming/none/"):
        pass
