"""Photos of several pictures in a real database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from storage import events
from storage.models import LocationMetadata, Photo, User
from storage.postgres.database import Database
from storage.stores.accounts import account_fields, users
from storage.stores.media import contents
from storage.stores.photos import photo_contents, photo_deletion, photo_edits, photo_lists, photos
from tests.support.community import (
    follow,
    new_user,
    new_users,
    processing_photo,
    processing_post,
    ready_photo,
    ready_post,
)

pytestmark = pytest.mark.engines

PAGE: dict[str, Any] = {"before": None, "limit": 9}


async def exifs(database: Database, photo: Photo) -> list[dict[str, Any] | None]:
    """Return the EXIF of each picture in order."""
    rows = await database.fetch("SELECT exif FROM photo_items WHERE photo_id = $1 ORDER BY position", photo.id)
    return [row["exif"] for row in rows]


async def events_of(database: Database, topic: str) -> Sequence[Any]:
    """Return the events of a topic in the outbox, each once."""
    rows = await database.fetch("SELECT DISTINCT ON (event_id) topic, body FROM outbox WHERE topic = $1", topic)
    return [events.decode(row["topic"], row["body"]) for row in rows]


async def test_every_read_has_the_pictures_in_order(database: Database) -> None:
    """A photo has its pictures wherever it is read, and a photo with one picture has no items."""
    ann, ben = await new_users(database, "ann", "ben")
    await follow(database, ben, ann)
    post = await ready_post(database, ann, "one", "two", "three", tags=["t"])
    single = await ready_photo(database, ann, tags=["t"])
    assert [item.alt_text for item in post.items] == ["one", "two", "three"]
    assert [(item.height, item.bytes, item.placeholder) for item in post.items] == [
        (400, 1000, "p0"),
        (401, 1001, "p1"),
        (402, 1002, "p2"),
    ]
    assert (post.sha256, post.height, post.alt_text) == (post.items[0].sha256, 400, "one")
    reads: list[Callable[[], Awaitable[Sequence[Photo]]]] = [
        lambda: photo_lists.newest(database, viewer_id=ben.id, **PAGE),
        lambda: photo_lists.by_tag(database, "t", viewer_id=ben.id, **PAGE),
        lambda: photo_lists.by_author(database, ann.id, viewer_id=ben.id, **PAGE),
    ]
    for read in reads:
        found = {photo.id: photo for photo in await read()}
        assert found == {single.id: single, post.id: post}
    assert (await photos.load(database, [post.id, single.id])) == {post.id: post, single.id: single}
    async with database.transaction() as tx:
        edited, _ = await photo_edits.edit(tx, post.id, author_id=ann.id, caption="new")
    assert edited.items == post.items


@pytest.mark.parametrize("setting", list(LocationMetadata))
async def test_the_exif_of_each_picture_is_kept_as_its_author_says(
    database: Database, setting: LocationMetadata
) -> None:
    """Each picture has its EXIF, with its position according to the setting; the photo has none besides."""
    ann = await new_user(database, "ann")
    async with database.transaction() as tx:
        await account_fields.update(tx, ann.id, location_metadata=setting)
    post = await ready_post(database, ann, "one", "two")
    expected = {
        LocationMetadata.OFF: {},
        LocationMetadata.COARSE: {"location": {"latitude": 47.12, "longitude": 8.5}},
        LocationMetadata.EXACT: {"location": {"latitude": 47.123456, "longitude": 8.5}},
    }[setting]
    assert await exifs(database, post) == [{"Make": "Camera 0", **expected}, {"Make": "Camera 1", **expected}]
    assert await database.fetchval("SELECT count(*) FROM photo_exif") == 0


async def _delete(database: Database, photo: Photo) -> None:
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=photo.author.id)


async def test_a_deletion_names_all_contents(database: Database) -> None:
    """The event of a deletion has every picture, and the rows are gone, with their EXIF."""
    ann = await new_user(database, "ann")
    post, single = await ready_post(database, ann, "one", "two", "three"), await ready_photo(database, ann)
    await _delete(database, post)
    await _delete(database, single)
    deleted = {event.photo_id: event for event in await events_of(database, "photo.deleted")}
    assert deleted[post.id].sha256 == post.items[0].sha256
    assert sorted(deleted[post.id].items) == sorted(item.sha256 for item in post.items[1:])
    assert (deleted[single.id].sha256, deleted[single.id].items) == (single.sha256, [])
    assert await database.fetchval("SELECT count(*) FROM photo_items") == 0


async def test_the_photos_of_a_deleted_account_name_all_contents(database: Database) -> None:
    """A batch has the id of a photo with each of its pictures, each once."""
    ann = await new_user(database, "ann")
    single, post = await ready_photo(database, ann), await ready_post(database, ann, "one", "two")
    async with database.transaction() as tx:
        deleted = await photo_deletion.delete_newest(tx, author_id=ann.id, limit=9)
    expected = [(single.id, single.sha256), *((post.id, item.sha256) for item in post.items)]
    assert sorted(deleted) == sorted(expected)
    assert (await users.get(database, ann.id)).photos == 0


async def _facts(database: Database, sha256: str, user: User) -> tuple[bool, bool, bool, int | None]:
    return (
        await contents.is_referenced(database, sha256),
        await contents.is_public(database, sha256),
        await photo_contents.is_owner(database, sha256, user.id),
        await photo_contents.ready_with_content(database, user.id, sha256),
    )


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_every_picture_is_a_reference_to_its_content(database: Database, place: int) -> None:
    """The content of any picture is needed, shown, owned and known as the photo's own, until the photo is deleted."""
    ann, ben = await new_users(database, "ann", "ben")
    waiting = await processing_post(database, ann, "one", "two", "three")
    sha256 = waiting.items[place].sha256
    assert await _facts(database, sha256, ann) == (True, False, True, None)
    post = await ready_post(database, ann, "one", "two", "three")
    sha256 = post.items[place].sha256
    assert await _facts(database, sha256, ann) == (True, True, True, post.id)
    assert await _facts(database, sha256, ben) == (True, True, False, None)
    async with database.transaction() as tx:
        await account_fields.update(tx, ann.id, private=True)
    assert await _facts(database, sha256, ann) == (True, False, True, post.id)
    # A process of an earlier version deletes the photo and leaves its items.
    await database.fetchval("UPDATE photos SET deleted_at = now() WHERE id = $1", post.id)
    assert await _facts(database, sha256, ann) == (False, False, False, None)


async def test_the_newest_photo_with_a_content_counts(database: Database) -> None:
    """Whether a content is a photo's only picture or one of several, the newest photo is the duplicate."""
    ann = await new_user(database, "ann")
    post = await ready_post(database, ann, "one", "two")
    sha256 = post.items[1].sha256
    later = await ready_photo(database, ann, sha256=sha256)
    assert await photo_contents.ready_with_content(database, ann.id, sha256) == later.id
    await processing_photo(database, ann, sha256=sha256)
    assert await photo_contents.ready_with_content(database, ann.id, sha256) == later.id
    await _delete(database, later)
    assert await photo_contents.ready_with_content(database, ann.id, sha256) == post.id


async def test_a_needed_content_is_not_removed(database: Database) -> None:
    """A removal finds that a picture which is not the first needs the content."""
    ann = await new_user(database, "ann")
    post = await ready_post(database, ann, "one", "two")
    sha256 = post.items[1].sha256
    lease = await contents.acquire(database, sha256=sha256, size=1, content_type="image/jpeg")
    assert lease is not None
    async with database.transaction() as tx:
        await contents.complete(tx, lease)
        assert await contents.begin_removal(tx, sha256) is None
    await _delete(database, post)
    async with database.transaction() as tx:
        assert await contents.begin_removal(tx, sha256) is not None
