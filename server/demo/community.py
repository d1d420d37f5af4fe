"""Bring the demonstration community to life, by the same transactions that the API makes.

Its events flow through the workers like everybody's. An interrupted start is taken up where it ended:
each step looks whether it is done, and until all are, the demonstration account bears a mark.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

import structlog

from server.actions.photos import PhotoDetails, StagedPhoto, post_photo
from server.demo.story import FOLLOWS, PASSWORD, PHOTOS, USERNAME, USERS, DemoPhoto
from server.identity.passwords import Passwords
from server.media.image_header import read_header
from storage.blobs.port import Blobs
from storage.errors import NotFoundError
from storage.models import Photo, PhotoState
from storage.postgres.database import Database
from storage.stores import comments, likes, photo_lists, photos, relations, users

FOLDER = Path(__file__).parent / "photos"
READY_DEADLINE = 60.0  # seconds for the media worker to make all variants
_MARK = "demo_unfinished"

log = structlog.get_logger(__name__)


class Demo:
    """Seed the community into an empty database; needs workers running beside it."""

    def __init__(self, db: Database, blobs: Blobs, passwords: Passwords, folder: Path = FOLDER) -> None:
        self._db = db
        self._blobs = blobs
        self._passwords = passwords
        self._folder = folder

    async def run(self) -> bool:
        """Bring the community where nobody is, or finish it; False when there is nothing to do."""
        if not await self._wanted():
            return False
        ids = await self._people()
        shown = [await self._photo(ids[picture.author], picture) for picture in PHOTOS]
        await self._ready([photo_id for photo_id, _ in shown])
        for photo_id, picture in shown:
            await self._reactions(photo_id, picture, ids)
        async with self._db.transaction() as tx:
            await users.update(tx, ids[USERNAME], settings={})
        log.info("demo_seeded", people=len(ids), photos=len(shown))
        return True

    async def available(self) -> bool:
        """Tell whether one can sign in to the demonstration account with its known password."""
        found = await users.credentials(self._db, USERNAME)
        return found is not None and await self._passwords.verify(found[1], PASSWORD)

    async def _wanted(self) -> bool:
        found = await users.credentials(self._db, USERNAME)
        if found is not None:
            return bool(found[0].settings.get(_MARK))
        return not await self._db.fetchval("SELECT EXISTS (SELECT FROM users)")

    async def _people(self) -> dict[str, int]:
        if await users.credentials(self._db, USERNAME) is None:
            # One hash for all: it is the demonstration password, and hashing is slow on purpose.
            encoded = await self._passwords.hash(PASSWORD)
            async with self._db.transaction() as tx:
                ids = {}
                for member in USERS:
                    user = await users.create(
                        tx,
                        username=member.username,
                        email=f"{member.username}@example.com",
                        password_hash=encoded,
                        display_name=member.name,
                    )
                    await users.update(tx, user.id, bio=member.bio)
                    ids[member.username] = user.id
                await users.update(tx, ids[USERNAME], settings={_MARK: True})
        ids = {member.username: (await users.find(self._db, member.username)).id for member in USERS}
        for follower, followees in FOLLOWS.items():
            for followee in followees:
                async with self._db.transaction() as tx:
                    await relations.follow(tx, ids[follower], ids[followee])
        return ids

    async def _photo(self, author_id: int, picture: DemoPhoto) -> tuple[int, DemoPhoto]:
        data = await asyncio.to_thread((self._folder / picture.file).read_bytes)
        digest = hashlib.sha256(data).hexdigest()
        present = await photo_lists.by_author(self._db, author_id, viewer_id=author_id, before=None, limit=100)
        for photo in present:
            if photo.sha256 == digest:
                return photo.id, picture
        return (await self._post(author_id, picture, data, digest)).id, picture

    async def _post(self, author_id: int, picture: DemoPhoto, data: bytes, digest: str) -> Photo:
        with (self._folder / picture.file).open("rb") as file:
            header = read_header(file)
        staged = StagedPhoto(
            source=data,
            sha256=digest,
            size=len(data),
            content_type=header.content_type,
            width=header.width,
            height=header.height,
        )
        details = PhotoDetails(
            caption=picture.caption, alt_text=picture.alt_text, tags=picture.tags, location=picture.location
        )
        return await post_photo(self._db, self._blobs, staged, author_id=author_id, details=details)

    async def _ready(self, photo_ids: Sequence[int]) -> None:
        """Wait until the workers have made the variants: only ready photos can be liked by others."""
        try:
            async with asyncio.timeout(READY_DEADLINE):
                while await self._processing(photo_ids):  # noqa: ASYNC110 - the rows are the workers' only word
                    await asyncio.sleep(0.05)
        except TimeoutError:
            log.warning("demo_photos_late", seconds=READY_DEADLINE)

    async def _processing(self, photo_ids: Sequence[int]) -> bool:
        found = await photos.load(self._db, photo_ids)
        return any(photo.state is PhotoState.PROCESSING for photo in found.values())

    async def _reactions(self, photo_id: int, picture: DemoPhoto, ids: dict[str, int]) -> None:
        try:
            said = await comments.page(self._db, photo_id, viewer_id=ids[picture.author], before=None, limit=100)
            for name in picture.likes:
                async with self._db.transaction() as tx:
                    await likes.add(tx, photo_id=photo_id, user_id=ids[name])
            for name, text in picture.comments:
                if not any(comment.text == text for comment in said):
                    async with self._db.transaction() as tx:
                        await comments.add(tx, photo_id=photo_id, author_id=ids[name], text=text)
        except NotFoundError:
            log.warning("demo_photo_not_shown", file=picture.file)
