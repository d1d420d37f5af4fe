"""Images between the blob store and the decoder; used for photos, avatars and banners."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from storage.blobs.keys import original_key, variant_key, variants_prefix
from storage.blobs.port import Blobs
from storage.blobs.variants import VariantRegistry, content_type_of
from storage.errors import NotFoundError
from storage.perceptual_hashes import MediaHash
from storage.postgres.database import Database
from storage.stores.accounts import users
from storage.stores.media import contents
from workers.errors import Retry
from workers.images.decode import Decoded
from workers.images.pool import Decoder
from workers.images.rights import rights_packet


class ImageMaker:
    """From a stored original to its stored eager variants; the caller leases the content while they are stored.

    The variants have the creator and the licence that the file names. They are shared by all images with the same
    content, so they have none once an author who does not want it has posted the content.
    """

    def __init__(self, db: Database, blobs: Blobs, decoder: Decoder, variants: VariantRegistry) -> None:
        self._db = db
        self._blobs = blobs
        self._decoder = decoder
        self._variants = variants

    async def decode(self, sha256: str, *, author_id: int) -> Decoded:
        """Return the decoded original of an author with its eager variants; raise `ImageRejectedError`.

        Raises `Retry` while the original is missing: it may come back, and otherwise the event ends among the dead
        letters, where an operator sees it.
        """
        rights = await self._publishes_rights(sha256, author_id)
        try:
            async with local_file(self._blobs, original_key(sha256)) as path:
                return await self._decoder.variants(path, self._variants.eager_variants, rights=rights)
        except (NotFoundError, FileNotFoundError) as error:
            raise Retry("the original is missing") from error

    async def store(self, sha256: str, decoded: Decoded) -> None:
        """Store the eager variants; raise `Retry` if they have rights that were withheld while they were made."""
        await put_variants(self._blobs, self._variants, sha256, decoded.variants)
        # Read after the variants are stored: either the other author is seen here, or their worker stores later.
        if rights_packet(decoded.texts) and not await contents.publishes_rights(self._db, sha256):
            await self._delete_variants(sha256, spared=() if decoded.rights else self._variants.eager)
            if decoded.rights:
                raise Retry("the rights of the image were withheld meanwhile")

    async def _publishes_rights(self, sha256: str, author_id: int) -> bool:
        by_author, by_content = await asyncio.gather(
            users.publishes_rights(self._db, author_id), contents.publishes_rights(self._db, sha256)
        )
        if by_author:
            return by_content
        async with self._db.transaction() as tx:
            await contents.withhold_rights(tx, sha256)
        return False

    async def _delete_variants(self, sha256: str, *, spared: Sequence[str]) -> None:
        """Delete the variants that may have rights, all but the spared ones; they are made again on request."""
        kept = {variant_key(sha256, self._variants.recipe, name) for name in spared}
        stored = [blob.key async for blob in self._blobs.list(variants_prefix(sha256))]
        await self._blobs.delete([key for key in stored if key not in kept])


def hash_of(sha256: str, decoded: Decoded) -> MediaHash:
    """Return the hashes of a decoded original, for a video those of its poster."""
    return MediaHash(sha256=sha256, pdq=decoded.pdq, quality=decoded.pdq_quality)


@asynccontextmanager
async def local_file(blobs: Blobs, key: str) -> AsyncIterator[Path]:
    """Yield an object as a local file: the store's own, or a temporary copy; raise `NotFoundError("blob")`."""
    blob = await blobs.open(key)
    if blob.path is not None:
        yield blob.path
        return
    with tempfile.TemporaryDirectory(prefix="picshare-") as folder:
        path = Path(folder) / key.rsplit("/", 1)[-1]
        with path.open("wb") as file:
            async for chunk in blob.chunks():
                await asyncio.to_thread(file.write, chunk)
        yield path


async def put_variants(blobs: Blobs, registry: VariantRegistry, sha256: str, files: Mapping[str, bytes]) -> None:
    """Store variants of an original by name, under a lease of its content that the caller holds."""
    puts = (
        blobs.put(
            variant_key(sha256, registry.recipe, name),
            data,
            content_type=content_type_of(name),
        )
        for name, data in files.items()
    )
    # An error is raised only after all writes have ended. A write that continues after its job has failed might
    # outlive the lease.
    for outcome in await asyncio.gather(*puts, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
