"""Changes of the pictures of photos in a real database."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from storage import events
from storage.errors import ConflictError, NotFoundError
from storage.models import Photo, PhotoItem
from storage.postgres.database import Database
from storage.stores.media import contents
from storage.stores.photos import photo_deletion, photo_edits, photo_exif, photo_item_edits, photos
from storage.stores.photos.photo_item_edits import ItemEdit
from tests.support.community import new_user, new_users, processing_post, ready_photo, ready_post, topics

pytestmark = pytest.mark.engines


async def edit(database: Database, photo: Photo, items: Sequence[ItemEdit], **fields: Any) -> Photo:
    """Edit a photo as its author, as the API does."""
    async with database.transaction() as tx:
        changed = await photo_item_edits.edit(tx, photo.id, author_id=photo.author.id, items=items)
        edited, _ = await photo_edits.edit(tx, photo.id, author_id=photo.author.id, changed=changed, **fields)
    assert edited == await photos.get(database, photo.id, viewer_id=photo.author.id)
    return edited


def kept(photo: Photo, *places: int) -> list[ItemEdit]:
    """Return the edit that keeps these pictures in this order."""
    return [ItemEdit(sha256=photo.items[place].sha256) for place in places]


async def test_the_order_changes(database: Database) -> None:
    """Pictures keep their data in a new order, and the photo has that of the first; nothing is removed."""
    ann = await new_user(database, "ann")
    post = await ready_post(database, ann, "one", "two", "three")
    await database.fetchval("UPDATE photo_items SET motion = 'webp' WHERE sha256 = $1", post.items[2].sha256)
    post = await photos.get(database, post.id, viewer_id=ann.id)
    edited = await edit(database, post, kept(post, 2, 0, 1))
    assert edited.items == (post.items[2], post.items[0], post.items[1])
    for field in dataclasses.fields(PhotoItem):
        assert getattr(edited, field.name) == getattr(post.items[2], field.name), field.name
    assert edited.edited_at is not None
    assert (await topics(database))[-1] == "photo.edited"
    assert "photo.item_removed" not in await topics(database)


async def test_texts_change_with_the_pictures(database: Database) -> None:
    """A text that is given replaces that of its picture, also by an empty one; others stay."""
    post = await ready_post(database, await new_user(database, "ann"), "one", "two", "three")
    first, second, third = kept(post, 0, 1, 2)
    changes = [ItemEdit(sha256=first.sha256, alt_text=""), second, ItemEdit(sha256=third.sha256, alt_text="new")]
    edited = await edit(database, post, changes, caption="words")
    assert [item.alt_text for item in edited.items] == ["", "two", "new"]
    assert (edited.alt_text, edited.caption) == ("", "words")
    assert (await topics(database)).count("photo.edited") == 1


async def test_the_text_of_the_photo_is_that_of_its_first_picture(database: Database) -> None:
    """An edit of `alt_text` alone changes the first picture as well."""
    ann = await new_user(database, "ann")
    post = await ready_post(database, ann, "one", "two")
    async with database.transaction() as tx:
        edited, _ = await photo_edits.edit(tx, post.id, author_id=ann.id, alt_text="new")
    assert (edited.alt_text, [item.alt_text for item in edited.items]) == ("new", ["new", "two"])
    assert edited == await photos.get(database, post.id, viewer_id=ann.id)


async def test_a_picture_is_removed(database: Database) -> None:
    """The others move up, and an event names the content, which nothing needs any more."""
    post = await ready_post(database, await new_user(database, "ann"), "one", "two", "three")
    edited = await edit(database, post, kept(post, 1, 2))
    assert edited.items == post.items[1:]
    assert (edited.pictures, edited.sha256) == (2, post.items[1].sha256)
    assert not await contents.is_referenced(database, post.sha256)
    assert await contents.is_referenced(database, post.items[1].sha256)
    rows = await database.fetch("SELECT topic, body FROM outbox WHERE topic IN ('photo.item_removed', 'media.purge')")
    emitted = [events.decode(row["topic"], row["body"]) for row in rows]
    removed, purge = sorted(emitted, key=lambda event: event.topic, reverse=True)
    assert removed == events.PhotoItemRemoved(photo_id=post.id, author_id=post.author.id, sha256=post.sha256)
    assert isinstance(purge, events.MediaPurge)
    assert purge.sha256s == [post.sha256]


async def test_one_picture_is_left(database: Database) -> None:
    """The photo is then like one that always had one picture, with the EXIF and the text of that picture."""
    ann = await new_user(database, "ann")
    post, single = await ready_post(database, ann, "one", "two", "three"), await ready_photo(database, ann)
    edited = await edit(database, post, kept(post, 2))
    assert (edited.pictures, edited.items, edited.alt_text) == (1, (), "three")
    assert (edited.sha256, edited.height, edited.placeholder) == (post.items[2].sha256, 402, "p2")
    assert await database.fetchval("SELECT count(*) FROM photo_items") == 0
    assert await photo_exif.get(database, post.id, author_id=ann.id) == {"Make": "Camera 2"}
    assert (await topics(database)).count("photo.item_removed") == 2
    described = await edit(database, single, [ItemEdit(sha256=single.sha256, alt_text="alone")])
    assert (described.alt_text, described.pictures, described.items) == ("alone", 1, ())


async def test_nothing_changes(database: Database) -> None:
    """The same pictures in the same order with the same texts are no edit."""
    ann = await new_user(database, "ann")
    post, single = await ready_post(database, ann, "one", "two"), await ready_photo(database, ann)
    before = await topics(database)
    same = [ItemEdit(sha256=post.items[0].sha256, alt_text="one"), ItemEdit(sha256=post.items[1].sha256)]
    assert await edit(database, post, same) == post
    assert await edit(database, single, [ItemEdit(sha256=single.sha256, alt_text="")]) == single
    assert await topics(database) == before


async def test_what_is_refused(database: Database) -> None:
    """Others' and deleted photos, pictures of another photo, and photos in processing stay as they are."""
    ann, ben = await new_users(database, "ann", "ben")
    post, other = await ready_post(database, ann, "one", "two"), await ready_post(database, ann, "x", "y")
    waiting = await processing_post(database, ann, "one", "two")
    async with database.transaction() as tx:
        with pytest.raises(NotFoundError):
            await photo_item_edits.edit(tx, post.id, author_id=ben.id, items=kept(post, 0))
    for photo, items, code in (
        (post, [*kept(post, 0), *kept(other, 0)], "picture_not_found"),
        (waiting, kept(waiting, 0), "photo_not_ready"),
    ):
        with pytest.raises(ConflictError) as refused:
            await edit(database, photo, items)
        assert refused.value.code == code
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, other.id, author_id=ann.id)
        with pytest.raises(NotFoundError):
            await photo_item_edits.edit(tx, other.id, author_id=ann.id, items=kept(other, 0))
    assert (await photos.get(database, post.id, viewer_id=ann.id)) == post


async def test_the_exif_of_all_pictures(database: Database) -> None:
    """Its author reads that of each picture in order and deletes all; another user has no access to it."""
    ann, ben = await new_users(database, "ann", "ben")
    post = await ready_post(database, ann, "one", "two")
    await edit(database, post, kept(post, 1, 0))
    assert await photo_exif.of_items(database, post.id, author_id=ann.id) == [
        (post.items[1].sha256, {"Make": "Camera 1"}),
        (post.items[0].sha256, {"Make": "Camera 0"}),
    ]
    assert await photo_exif.of_items(database, post.id, author_id=ben.id) == []
    async with database.transaction() as tx:
        with pytest.raises(NotFoundError):
            await photo_exif.delete(tx, post.id, author_id=ben.id)
        await photo_exif.delete(tx, post.id, author_id=ann.id)
    assert [exif for _, exif in await photo_exif.of_items(database, post.id, author_id=ann.id)] == [{}, {}]
