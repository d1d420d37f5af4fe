"""The archive of an account: its entries in order, as the chunks of a ZIP file."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from datetime import UTC, datetime

from storage.blobs.keys import original_key
from storage.blobs.port import Blob, Blobs
from storage.errors import NotFoundError
from storage.models import User
from storage.postgres.database import Queryable
from storage.stores.archives import export_contents
from storage.stores.archives.export_contents import BLOCKS, FOLLOWS
from storage.stores.media import quarantine
from storage.stores.photos.photo_items import pictures_of
from workers.exports import activity_streams, documents, security_documents
from workers.exports.offline_page import offline_page
from workers.exports.zip_stream import ZipStream


class AccountArchive:
    """The archive of one user; `photos` and `size` (bytes) count what was made until now.

    It is read in pages and chunks, so its size is no matter of memory. A connection to the database is used for one
    page at a time, and none while a blob is read or the archive is written.
    """

    def __init__(self, db: Queryable, blobs: Blobs, user: User, public_url: str) -> None:
        self._db = db
        self._blobs = blobs
        self._user = user
        self._public_url = public_url
        self._zip = ZipStream()
        self._now = datetime.now(UTC)
        self.photos = 0
        self.missing: list[str] = []  # names of files whose objects were not found

    @property
    def size(self) -> int:
        """Return the bytes until now."""
        return self._zip.size

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the archive, once."""
        async for chunk in self._profile_images():
            yield chunk
        async for page in export_contents.photos(self._db, self._user.id):
            for photo in page:
                self.photos += 1
                for name, picture in zip(documents.picture_names(photo), pictures_of(photo), strict=True):
                    async for chunk in self._original(name, picture.sha256, photo.created_at):
                        yield chunk
        for name, content in self._documents():
            async for chunk in self._zip.entry(name, content, modified=self._now, compress=True):
                yield chunk
        yield self._zip.close()

    async def _profile_images(self) -> AsyncIterator[bytes]:
        for row in await export_contents.profile_images(self._db, self._user.id):
            name = f"{row['kind']}.{documents.extension(row['content_type'])}"
            async for chunk in self._original(name, row["sha256"], self._now):
                yield chunk

    async def _original(self, name: str, sha256: str, modified: datetime) -> AsyncIterator[bytes]:
        """Add an original as it is, since media are compressed already."""
        if await quarantine.has(self._db, sha256):
            self.missing.append(name)
            return
        try:
            blob = await self._blobs.open(original_key(sha256))
        except NotFoundError:
            self.missing.append(name)
            return
        async for chunk in self._zip.entry(name, self._read(blob, name), modified=modified, compress=False):
            yield chunk

    async def _read(self, blob: Blob, name: str) -> AsyncIterator[bytes]:
        try:
            async for chunk in blob.chunks():
                yield chunk
        except NotFoundError:
            # It was deleted meanwhile; what has been read is in the archive.
            self.missing.append(name)

    def _documents(self) -> Iterator[tuple[str, AsyncIterator[bytes]]]:
        db, user = self._db, self._user
        yield "profile.json", documents.profile(db, user)
        yield "photos.json", documents.photos(db, user)
        yield "comments.json", documents.comments(db, user)
        yield "likes.json", documents.likes(db, user)
        yield "follows.csv", documents.edges(db, user, FOLLOWS)
        yield "blocks.csv", documents.edges(db, user, BLOCKS)
        yield "lists.json", documents.account_lists(db, user)
        yield "collections.json", documents.collections(db, user)
        yield "notifications.json", documents.notifications(db, user)
        yield "reports.json", documents.reports(db, user)
        yield "decisions.json", documents.decisions(db, user)
        yield "webhooks.json", documents.webhooks(db, user)
        yield "imports.json", documents.account_imports(db, user)
        yield "security.json", security_documents.security(db, user)
        yield "actor.json", activity_streams.actor(user, self._public_url)
        yield "outbox.json", activity_streams.outbox(db, user, self._public_url)
        yield "index.html", offline_page(db, user, self.missing)
        if self.missing:
            yield "missing.txt", documents.missing(self.missing)
