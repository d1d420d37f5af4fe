"""Objects of a blob store."""

from __future__ import annotations

from storage.blobs.port import Blobs
from storage.errors import NotFoundError


async def has(blobs: Blobs, key: str) -> bool:
    """Return whether there is an object under a key."""
    try:
        await blobs.head(key)
    except NotFoundError:
        return False
    return True
