"""Photos of one user do not hold the decoders that others wait for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from storage import events, ids
from storage.blobs.file import FileBlobs
from storage.blobs.variants import Variant
from storage.events import PhotoDeferred, PhotoDeleted, PhotoUploaded
from storage.models import Photo, PhotoState, User
from storage.postgres.database import Database
from storage.stores.photos import photos
from tests.support.broker_kits import QUICK, consuming
from tests.support.community import new_users, processing_photo, topics
from tests.support.eventually import DEADLINE, eventually
from tests.support.originals import post
from workers.broker.local import LocalBroker
from workers.broker.port import Message
from workers.broker.routing import queues_of
from workers.handlers import EventHandler, on
from workers.images.decode import Decoded
from workers.images.pool import Decoder
from workers.jobs.media.media import MediaHandlers

pytestmark = pytest.mark.engines

UPLOADS = 40


@dataclass(frozen=True)
class Turn:
    """An image whose decoding has begun, by its SHA-256."""

    sha256: str
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Turnstile(Decoder):
    """A decoder whose images end one by one, each with a call of `let_through`; `waiting` are those that have begun."""

    def __init__(self, waiting: list[Turn], processes: int = 1) -> None:
        super().__init__(processes=processes)
        self._waiting = waiting

    async def variants(self, original: Path, variants: Sequence[Variant] = (), *, rights: bool = False) -> Decoded:
        """Wait for the turn of this image."""
        turn = Turn(original.name)
        self._waiting.append(turn)
        await turn.over.wait()
        return Decoded(width=1, height=1, placeholder="", exif={}, texts={}, hdr=False, motion=False, variants={})


class Scene:
    """The queues "media", with `decoders` decoders, and "deferred", with one, and two users."""

    def __init__(self, database: Database, blobs: FileBlobs, ann: User, bob: User, decoders: int) -> None:
        self.database = database
        self.blobs = blobs
        self.ann = ann
        self.bob = bob
        self.waiting: list[Turn] = []
        self.decoded = 0
        media = MediaHandlers(database, blobs, Turnstile(self.waiting, decoders))
        deferred = MediaHandlers(database, blobs, Turnstile(self.waiting))
        self.queues: Mapping[str, tuple[int, Mapping[str, EventHandler]]] = {
            "media": (decoders, {**on(PhotoUploaded, media.uploaded), **on(PhotoDeleted, media.deleted)}),
            "deferred": (1, on(PhotoDeferred, deferred.deferred)),
        }

    async def upload(self, author: User, number: int) -> Photo:
        """Post a photo."""
        return await post(self.database, self.blobs, author, b"\xff\xd8\xff %s %d" % (author.username.encode(), number))

    async def let_through(self) -> None:
        """Wait until a decoder has an image, and let it end the oldest one."""
        await eventually(lambda: self.waiting)
        self.waiting.pop(0).over.set()
        self.decoded += 1

    async def states(self, author: User) -> list[PhotoState]:
        """Return the states of an author's photos."""
        rows = await self.database.fetch("SELECT state FROM photos WHERE author_id = $1 ORDER BY id", author.id)
        return [PhotoState(row["state"]) for row in rows]


@asynccontextmanager
async def scene(database: Database, dsn: str, folder: Path, decoders: int) -> AsyncIterator[Scene]:
    """Consume both queues until the end of the block."""
    ann, bob = await new_users(database, "ann", "bob")
    scene = Scene(database, FileBlobs(folder), ann, bob, decoders)
    async with AsyncExitStack() as stack:
        claims = await Database.connect(dsn, routes=queues_of, min_size=1, max_size=12)
        stack.push_async_callback(claims.close)
        for queue, (concurrency, handlers) in scene.queues.items():

            async def handle(message: Message, handlers: Mapping[str, EventHandler] = handlers) -> None:
                await handlers[message.topic](events.decode(message.topic, message.body))

            policy = replace(QUICK, concurrency=concurrency)
            await stack.enter_async_context(consuming(LocalBroker(claims), queue, handle, policy))
        yield scene


@pytest.mark.parametrize("decoders", [1, 2])
async def test_many_photos_of_one_user_do_not_delay_another_user(
    database: Database, database_dsn: str, tmp_path: Path, decoders: int
) -> None:
    """A user's photo is decoded after at most one other image, although another user has uploaded forty before."""
    async with scene(database, database_dsn, tmp_path, decoders) as users:
        await users.upload(users.ann, 0)
        # The queue "deferred" gets none before, else its image would be the oldest one and be let through instead.
        await eventually(lambda: users.waiting)
        for number in range(1, UPLOADS):
            await users.upload(users.ann, number)
        photo = await users.upload(users.bob, 0)

        def has_begun() -> bool:
            return photo.sha256 in {turn.sha256 for turn in users.waiting}

        while True:
            # Every decoder has an image only once the photo is among them, unless the only one of the queue is in use.
            await eventually(lambda: has_begun() or len(users.waiting) == decoders + 1)
            if has_begun():
                break
            await users.let_through()
        assert users.decoded <= 1
        # The forty are not forgotten either.
        while users.decoded < UPLOADS + 1:
            await users.let_through()
        await eventually(lambda: _all_ready(users))


async def test_uploads_at_the_same_moment_are_deferred_by_the_worker(database: Database, tmp_path: Path) -> None:
    """Of an author's photos whose uploads have not seen each other, all but the oldest are deferred."""
    ann, bob = await new_users(database, "ann", "bob")
    users = Scene(database, FileBlobs(tmp_path), ann, bob, 1)
    made = [await users.upload(ann, number) for number in range(3)]
    before = (await topics(database)).count("photo.deferred")
    handler = users.queues["media"][1]["photo.uploaded"]
    for photo in made[1:]:
        # A handler that decodes the photo instead would wait for its turn.
        async with asyncio.timeout(DEADLINE):
            await handler(PhotoUploaded(photo_id=photo.id, author_id=ann.id))
    assert users.waiting == []
    assert (await topics(database)).count("photo.deferred") == before + 2
    oldest = asyncio.ensure_future(handler(PhotoUploaded(photo_id=made[0].id, author_id=ann.id)))
    await users.let_through()
    await oldest
    assert await users.states(ann) == [PhotoState.READY, PhotoState.PROCESSING, PhotoState.PROCESSING]


async def test_a_stuck_photo_defers_no_later_one(database: Database) -> None:
    """A photo that has been in processing for more than an hour does not count."""
    (ann,) = await new_users(database, "ann")
    stuck = ids.IdGenerator(lambda: time.time() - 3700).new(ids.shard_of(ann.id))
    photo = await processing_photo(database, ann)
    await database.fetch("UPDATE photo_tags SET photo_id = $2 WHERE photo_id = $1", photo.id, stuck)
    await database.fetch("DELETE FROM photo_text WHERE photo_id = $1", photo.id)
    await database.fetch("UPDATE photos SET id = $2 WHERE id = $1", photo.id, stuck)
    later, latest = await processing_photo(database, ann), await processing_photo(database, ann)
    assert not await photos.has_earlier_in_processing(database, later.id, author_id=ann.id)
    assert await photos.has_earlier_in_processing(database, latest.id, author_id=ann.id)


async def _all_ready(users: Scene) -> bool:
    return set(await users.states(users.ann)) == {PhotoState.READY}
