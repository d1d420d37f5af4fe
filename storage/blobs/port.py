"""The blob store's port: whole objects under keys, written once and read many times.

Two kinds of key: `original/<aa>/<sha256>` (private) and `variant/<aa>/<sha256>/<name>.jpg`, where
`sha256` is the original's hash in hex and `aa` its first two digits. Both are content-addressed: the same
key always holds the same picture, so that writing one twice is harmless. Adapters stand beside this file
(`blobs_file`) and pass one contract suite.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Blob:
    """One stored object: its size in bytes, its type, and its bytes as an iterator of chunks.

    `path` is where it lies as a local file (for sendfile and the decoder), or None when it is elsewhere.
    """

    size: int
    content_type: str
    path: Path | None
    chunks: Callable[[], AsyncIterator[bytes]]


class Blobs(Protocol):
    """Keep objects under keys.

    Guarantees: an object is visible whole or not at all, also after a crash; it is durable when `put` or
    `put_file` returns; the content type comes back as it was given for `image/jpeg` and `image/png`, and
    any other may come back as `application/octet-stream`. A key is lower-case words and safe characters
    joined by `/`; to write under any other is a `ValueError`, and there is nothing to read under one.
    Methods raise `UnavailableError("blobs")` when the store does not answer or is full.
    """

    async def put_file(self, key: str, path: Path, *, content_type: str) -> None:
        """Store a local file; afterwards `path` may be gone, since it is moved where that is possible."""
        ...

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:
        """Store bytes."""
        ...

    async def open(self, key: str) -> Blob:
        """Return an object; raise `NotFoundError("blob")`."""
        ...

    async def exists(self, key: str) -> bool:
        """Tell whether there is an object under a key."""
        ...

    async def delete(self, key: str) -> None:
        """Remove an object; that there is none is no error."""
        ...

    async def sweep(self, older_than: float) -> int:
        """Remove what was begun and left unfinished for `older_than` seconds; return how much."""
        ...


def original_key(sha256: str) -> str:
    """Return the key of an original."""
    return f"original/{sha256[:2]}/{sha256}"


def variant_key(sha256: str, name: str) -> str:
    """Return the key of a variant, `name` being e.g. "thumb"."""
    return f"variant/{sha256[:2]}/{sha256}/{name}.jpg"
