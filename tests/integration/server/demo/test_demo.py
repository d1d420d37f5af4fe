"""The demonstration community on a real database: once, whole, and taken up after an interruption."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
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
from storage.stores import photos, users

pytestmark = pytest.mark.engines

COUNTS = """
SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM photos) AS photos,
       (SELECT count(*) FROM follows) AS follows, (SELECT count(*) FROM likes) AS likes,
       (SELECT count(*) FROM comments) AS comments
"""


class FullDisk(FileBlobs):
    """A blob store that has room for so many objects only."""

    def __init__(self, root: Path, room: int) -> None:
        super().__init__(root)
        self._room = room

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:
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
    """Mark photos ready as soon as they are there, as the media worker would."""

    async def work() -> None:
        while True:
            for row in await database.fetch("SELECT id FROM photos WHERE state = 'processing'"):
                async with database.transaction() as tx:
                    await photos.mark_ready(tx, row["id"], width=4, height=3, placeholder=None, exif=None)
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


async def test_the_community_comes_once(database: Database, passwords: Passwords, tmp_path: Path) -> None:
    """Everybody and everything of the story is there, and a second start adds nothing."""
    demo = Demo(database, FileBlobs(tmp_path), passwords)
    async with media_worker(database):
        assert await demo.run()
        first = await counts(database)
        assert not await demo.run()
    assert await counts(database) == first
    assert (first["users"], first["photos"]) == (len(USERS), len(PHOTOS))
    assert first["likes"] == sum(len(picture.likes) for picture in PHOTOS)
    assert first["comments"] == sum(len(picture.comments) for picture in PHOTOS)
    assert await demo.available()


async def test_an_interrupted_start_is_taken_up(database: Database, passwords: Passwords, tmp_path: Path) -> None:
    """A start that failed half-way is completed by the next one, with nothing there twice."""
    with pytest.raises(UnavailableError):
        await Demo(database, FullDisk(tmp_path, 3), passwords).run()
    assert (await counts(database))["photos"] == 3
    async with media_worker(database):
        assert await Demo(database, FileBlobs(tmp_path), passwords).run()
    whole = await counts(database)
    assert (whole["users"], whole["photos"]) == (len(USERS), len(PHOTOS))


async def test_nobody_is_added_where_somebody_is(database: Database, passwords: Passwords, tmp_path: Path) -> None:
    """A database with an account of its own gets no community, and no demonstration sign-in is told."""
    async with database.transaction() as tx:
        await users.create(tx, username="first", email="first@example.com", password_hash="x", display_name="First")
    demo = Demo(database, FileBlobs(tmp_path), passwords)
    assert not await demo.run()
    assert not await demo.available()
    assert (await counts(database))["users"] == 1
