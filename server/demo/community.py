"""Create the demonstration community, through the same actions as every client.

Its events reach the workers like all others. An interrupted run is continued by the next start: each step checks
whether it is done already, and the demonstration account is marked as unfinished until all of them are.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

import structlog

from server.actions.comments import CommentActions
from server.actions.posting import PhotoDetails, StagedPhoto, post_photo
from server.actions.reactions import ReactionActions
from server.actions.relations import RelationActions
from server.demo.story import FOLLOWS, PASSWORD, PHOTOS, USERNAME, USERS, DemoPhoto
from server.identity.passwords import Passwords
from server.media.image_header import read_header
from storage.blobs.port import Blobs
from storage.errors import NotFoundError
from storage.models import Photo, PhotoState
from storage.postgres.database import Database
from storage.stores.accounts import account_fields, users
from storage.stores.comments import comment_lists
from storage.stores.photos import photo_lists, photos

FOLDER = Path(__file__).parent / "photos"
READY_DEADLINE = 60.0  # seconds for the media worker to make all variants
_UNFINISHED = "demo_unfinished"

log = structlog.get_logger(__name__)


class Demo:
    """The community of `server.demo.story`, for an empty database; it needs running workers."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        passwords: Passwords,
        *,
        relations: RelationActions,
        reactions: ReactionActions,
        comments: CommentActions,
        folder: Path = FOLDER,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._passwords = passwords
        self._relations = relations
        self._reactions = reactions
        self._comments = comments
        self._folder = folder

    async def run(self) -> bool:
        """Create or complete the community; return False where other accounts exist or it is complete."""
        if not await self._wanted():
            return False
        ids = await self._create_users()
        posted = [(await self._post_once(ids[photo.author], photo), photo) for photo in PHOTOS]
        await self._wait_until_ready([photo_id for photo_id, _ in posted])
        for photo_id, photo in posted:
            await self._react(photo_id, photo, ids)
        async with self._db.transaction() as tx:
            await account_fields.update(tx, ids[USERNAME], settings={})
        log.info("demo_created", users=len(ids), photos=len(posted))
        return True

    async def available(self) -> bool:
        """Return whether the demonstration account exists and has its published password."""
        found = await users.credentials(self._db, USERNAME)
        if found is None or found.deletion_due_at is not None:
            return False
        return await self._passwords.verify(found.password_hash, PASSWORD)

    async def _wanted(self) -> bool:
        found = await users.credentials(self._db, USERNAME)
        if found is not None:
            return bool(found[0].settings.get(_UNFINISHED))
        return not await self._db.fetchval(
            "/* all shards: whether there is an account */ SELECT EXISTS (SELECT 1 FROM users LIMIT 1)"
        )

    async def _create_users(self) -> dict[str, int]:
        if await users.credentials(self._db, USERNAME) is None:
            await self._create_accounts()
        ids = {user.username: (await users.find(self._db, user.username)).id for user in USERS}
        for follower, followees in FOLLOWS.items():
            for followee in followees:
                await self._relations.follow(ids[follower], ids[followee])
        return ids

    async def _create_accounts(self) -> None:
        # One hash for all accounts: they share the published password, and hashing is slow on purpose.
        encoded = await self._passwords.hash(PASSWORD)
        # One transaction, so that either all accounts exist or none; signing up would make one for each.
        async with self._db.transaction() as tx:
            for user in USERS:
                account = await users.create(
                    tx,
                    username=user.username,
                    email=f"{user.username}@example.com",
                    password_hash=encoded,
                    display_name=user.name,
                )
                settings = {_UNFINISHED: True} if user.username == USERNAME else None
                await account_fields.update(tx, account.id, bio=user.bio, settings=settings)

    async def _post_once(self, author_id: int, photo: DemoPhoto) -> int:
        data = await asyncio.to_thread((self._folder / photo.file).read_bytes)
        digest = hashlib.sha256(data).hexdigest()
        present = await photo_lists.by_author(self._db, author_id, viewer_id=author_id, before=None, limit=100)
        existing = next((found.id for found in present if found.sha256 == digest), None)
        return existing if existing is not None else (await self._post(author_id, photo, data, digest)).id

    async def _post(self, author_id: int, photo: DemoPhoto, data: bytes, digest: str) -> Photo:
        with (self._folder / photo.file).open("rb") as file:
            header = read_header(file)
        staged = StagedPhoto(
            source=data,
            sha256=digest,
            size=len(data),
            content_type=header.content_type,
            width=header.width,
            height=header.height,
        )
        details = PhotoDetails(caption=photo.caption, tags=photo.tags, location=photo.location)
        return await post_photo(
            self._db, self._blobs, staged, author_id=author_id, details=details, alt_text=photo.alt_text
        )

    async def _wait_until_ready(self, photo_ids: Sequence[int]) -> None:
        """Wait until the workers have made the variants: other users can like only ready photos."""
        try:
            async with asyncio.timeout(READY_DEADLINE):
                while await self._processing(photo_ids):  # noqa: ASYNC110 - only the rows show the workers' progress
                    await asyncio.sleep(0.05)
        except TimeoutError:
            log.warning("demo_photos_not_ready", seconds=READY_DEADLINE)

    async def _processing(self, photo_ids: Sequence[int]) -> bool:
        found = await photos.load(self._db, photo_ids)
        return any(photo.state is PhotoState.PROCESSING for photo in found.values())

    async def _react(self, photo_id: int, photo: DemoPhoto, ids: dict[str, int]) -> None:
        try:
            present = await comment_lists.page(self._db, photo_id, viewer_id=ids[photo.author], limit=100)
            for name in photo.likes:
                await self._reactions.like(ids[name], photo_id)
            for name, text in photo.comments:
                if not any(comment.text == text for comment in present):
                    async with self._db.transaction() as tx:
                        await self._comments.add(tx, ids[name], photo_id, text)
        except NotFoundError:
            log.warning("demo_photo_not_ready", file=photo.file)
