"""The demonstration community on a real database: created once, complete, and continued after an interruption."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from server.demo.community import Demo
from server.demo.story import PHOTOS, USERS
from server.identity.passwords import Passwords
from storage.blobs.file import FileBlobs
from storage.errors import UnavailableError
from storage.postgres.database import Database
from storage.stores.accounts import users
from storage.stores.photos import photo_processing
from tests.support.api import InspectableServices

pytestmark = pytest.mark.engines

COUNTS = """
SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM photos) AS photos,
       (SELECT count(*) FROM following) AS follows, (SELECT count(*) FROM likes) AS likes,
       (SELECT count(*) FROM comments) AS comments
"""


class FullDisk(FileBlobs):
    """A blob store with room for a given number of objects."""

    def __init__(self, root: Path, room: int) -> None:
        super().__init__(root)
        self._room = room

    async def put(self, key: str, data: bytes | AsyncIterator[bytes], *, content_type: str) -> None:
        """Store while there is room."""
        if self._room == 0:
            raise UnavailableError("blobs", "no space left on device")
        self._room -= 1
        await super().put(key, data, content_type=content_type)


@pytest.fixture
def passwords() -> Passwords:
    """Passwords whose hashing is quick."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@asynccontextmanager
async def media_worker(database: Database) -> AsyncIterator[None]:
    """Mark each new photo as ready, as the media worker does."""

    async def work() -> None:
        while True:
            for row in await database.fetch("SELECT id FROM photos WHERE state = 'processing'"):
                async with database.transaction() as tx:
                    await photo_processing.mark_ready(tx, row["id"], width=4, height=3, placeholder=None, exif=None)
            await asyncio.sleep(0.01)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def counts(database: Database) -> dict[str, int]:
    """Return how many rows there are of each kind."""
    return dict(next(iter(await database.fetch(COUNTS))))


Make = Callable[[FileBlobs], Demo]


@pytest.fixture
def make_demo(services: InspectableServices, passwords: Passwords) -> Make:
    """Return a function that makes the demonstration on the services' stores and given blobs."""
    actions = services.actions
    return lambda blobs: Demo(
        services.db,
        blobs,
        passwords,
        relations=actions.relations,
        reactions=actions.reactions,
        comments=actions.comments,
    )


async def test_the_community_is_created_once(database: Database, make_demo: Make, tmp_path: Path) -> None:
    """All users, photos, likes and comments of the story exist, and a second start adds nothing."""
    demo = make_demo(FileBlobs(tmp_path))
    async with media_worker(database):
        assert await demo.run()
        first = await counts(database)
        assert not await demo.run()
    assert await counts(database) == first
    assert (first["users"], first["photos"]) == (len(USERS), len(PHOTOS))
    assert first["likes"] == sum(len(photo.likes) for photo in PHOTOS)
    assert first["comments"] == sum(len(photo.comments) for photo in PHOTOS)
    assert await demo.available()


async def test_an_interrupted_start_is_continued(database: Database, make_demo: Make, tmp_path: Path) -> None:
    """A start that failed half-way is completed by the next one, without duplicates."""
    with pytest.raises(UnavailableError):
        await make_demo(FullDisk(tmp_path, 3)).run()
    assert (await counts(database))["photos"] == 3
    async with media_worker(database):
        assert await make_demo(FileBlobs(tmp_path)).run()
    whole = await counts(database)
    assert (whole["users"], whole["photos"]) == (len(USERS), len(PHOTOS))


async def test_a_database_with_accounts_gets_no_community(database: Database, make_demo: Make, tmp_path: Path) -> None:
    """Where an account exists, no community is created and no demonstration account is available."""
    async with database.transaction() as tx:
        await users.create(tx, username="first", email="first@example.com", password_hash="x", display_name="First")
    demo = make_demo(FileBlobs(tmp_path))
    assert not await demo.run()
    assert not await demo.available()
    assert (await counts(database))["users"] == 1
