"""The port of the blob store: whole objects under keys, written once and read many times.

There are two kinds of keys: `original/<aa>/<sha256>` (private) and `variant/<aa>/<sha256>/<name>.jpg`, where
`sha256` is the original's hash in hex and `aa` its first two digits. Both are content-addressed: a key always
holds the same image, so that writing it twice is harmless. The adapters are in this package and pass one contract
suite. No adapter coordinates writers with deletions of the same content; `storage.stores.contents` does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Blob:
    """A stored object: its size in bytes, its type, and its bytes as an iterator of chunks.

    `path` is its local file, for sendfile and the decoder, or None if there is none.
    """

    size: int
    content_type: str
    path: Path | None
    chunks: Callable[[], AsyncIterator[bytes]]


class Blobs(Protocol):
    """A store of objects under keys.

    Guarantees: an object is visible whole or not at all, also after a crash. It is durable when `put` or
    `put_file` returns. The content types `image/jpeg` and `image/png` are kept; any other may be returned as
    `application/octet-stream`. A key consists of lower-case words and safe characters joined by `/`; writing
    under any other key is a `ValueError`, and reading finds nothing there.
    Methods raise `UnavailableError("blobs")` when the store does not answer, and `FullError` when it has no space left;
    reading and deleting need none.
    """

    async def put_file(self, key: str, path: Path, *, content_type: str) -> None:
        """Store a local file; it is moved if possible, so afterwards `path` may not exist any more."""
        ...

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:
        """Store bytes."""
        ...

    async def open(self, key: str) -> Blob:
        """Return an object; raise `NotFoundError("blob")`."""
        ...

    async def exists(self, key: str) -> bool:
        """Return whether there is an object under a key."""
        ...

    async def delete(self, key: str) -> None:
        """Delete an object, if there is one."""
        ...

    async def sweep(self, older_than: float) -> int:
        """Delete what unfinished writes left more than `older_than` seconds ago; return the number of files."""
        ...


def original_key(sha256: str) -> str:
    """Return the key of an original."""
    return f"original/{sha256[:2]}/{sha256}"


def variant_key(sha256: str, name: str) -> str:
    """Return the key of a variant, `name` being e.g. "thumb"."""
    return f"variant/{sha256[:2]}/{sha256}/{name}.jpg"
