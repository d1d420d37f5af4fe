"""Photos in a real database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from storage.errors import NotFoundError
from storage.models import Photo, PhotoState, User
from storage.postgres.database import Database
from storage.stores.accounts import account_fields, users
from storage.stores.photos import (
    likes,
    photo_contents,
    photo_deletion,
    photo_edits,
    photo_exif,
    photo_lists,
    photo_processing,
    photos,
)
from storage.stores.social import blocks
from tests.support.community import block, exif_of, follow, new_user, new_users, processing_photo, ready_photo, topics
from tests.support.meanwhile import Meanwhile

pytestmark = pytest.mark.engines


async def _delete(database: Database, photo: Photo) -> None:
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=photo.author.id)


async def _sees(database: Database, photo: Photo, viewer: User | None) -> bool:
    try:
        await photos.get(database, photo.id, viewer_id=viewer.id if viewer else None)
    except NotFoundError:
        return False
    return True


async def _hide(database: Database, photo: Photo) -> None:
    await database.fetchval("UPDATE photos SET state = 'hidden' WHERE id = $1", photo.id)


async def test_life_of_a_photo(database: Database) -> None:
    """A photo is processing, then ready with its size as shown, once; then deleted, once."""
    ann = await new_user(database, "ann")
    photo = await processing_photo(database, ann, tags=["sea", "sky", "sea"], location="")
    assert (photo.state, photo.tags, photo.location) == (PhotoState.PROCESSING, ("sea", "sky"), None)
    assert (await users.get(database, ann.id)).photos == 0
    details: dict[str, Any] = {"width": 4, "height": 3, "placeholder": "p", "exif": {"Make": "Leica"}}
    async with database.transaction() as tx:
        assert [await photo_processing.mark_ready(tx, photo.id, **details) for _ in range(2)] == [True, False]
        assert not await photo_processing.mark_rejected(tx, photo.id, reason="late")
    ready = await photos.get(database, photo.id, viewer_id=None)
    assert (ready.state, ready.width, ready.height, ready.placeholder) == (PhotoState.READY, 4, 3, "p")
    assert await exif_of(database, photo) == {"Make": "Leica"}
    assert (await users.get(database, ann.id)).photos == 1
    await _delete(database, photo)
    with pytest.raises(NotFoundError):
        await _delete(database, photo)
    assert (await users.get(database, ann.id)).photos == 0
    assert await exif_of(database, photo) is None
    assert await topics(database) == [
        "photo.uploaded",
        "photo.ready",
        "collections.outdated",
        "photo.deleted",
        "notifications.outdated",
        "media.purge",
    ]


async def test_rejected_photo(database: Database) -> None:
    """Only the author sees a rejected photo and its reason, and it never becomes ready."""
    ann = await new_user(database, "ann")
    photo = await processing_photo(database, ann)
    async with database.transaction() as tx:
        assert await photo_processing.mark_rejected(tx, photo.id, reason="it is truncated")
        assert not await photo_processing.mark_ready(tx, photo.id, width=1, height=1, placeholder=None, exif=None)
    assert (await photos.get(database, photo.id, viewer_id=ann.id)).reason == "it is truncated"
    assert not await _sees(database, photo, None)
    assert await topics(database) == ["photo.uploaded", "photo.rejected"]


async def test_deleted_while_processing(database: Database) -> None:
    """A photo deleted before its variants exist stays deleted."""
    photo = await processing_photo(database, await new_user(database, "ann"))
    await _delete(database, photo)
    async with database.transaction() as tx:
        assert not await photo_processing.mark_ready(tx, photo.id, width=1, height=1, placeholder=None, exif=None)
        assert not await photo_processing.mark_rejected(tx, photo.id, reason="x")


async def test_no_photo_without_an_account(database: Database) -> None:
    """A deleted account cannot create photos."""
    ann = await new_user(database, "ann")
    async with database.transaction() as tx:
        await users.remove(tx, ann.id)
    with pytest.raises(NotFoundError):
        await processing_photo(database, ann)


@pytest.mark.parametrize("case", ["processing", "hidden", "private", "blocked", "blocking", "author gone", "deleted"])
async def test_what_others_do_not_see(database: Database, case: str) -> None:
    """A photo hidden from others is neither found nor listed; its author finds it as long as it exists."""
    ann, ben = await new_users(database, "ann", "ben")
    await follow(database, ben, ann) if case not in {"private", "blocked", "blocking"} else None
    photo = await (processing_photo if case == "processing" else ready_photo)(database, ann, tags=["t"])
    if case == "hidden":
        await _hide(database, photo)
    elif case == "blocked":
        await block(database, ann, ben)
    elif case == "blocking":
        await block(database, ben, ann)
    elif case == "deleted":
        await _delete(database, photo)
    async with database.transaction() as tx:
        if case == "private":
            await account_fields.update(tx, ann.id, private=True)
        elif case == "author gone":
            # Even a photo that the removal has missed is hidden with its author.
            await tx.execute("UPDATE users SET deleted_at = now() WHERE id = $1", ann.id)
    assert not await _sees(database, photo, ben)
    assert await _sees(database, photo, ann) == (case not in {"author gone", "deleted"})
    page: dict[str, Any] = {"viewer_id": ben.id, "before": None, "limit": 9}
    assert await photo_lists.newest(database, **page) == []
    assert await photo_lists.by_tag(database, "t", **page) == []
    assert await photo_lists.by_author(database, ann.id, **page) == []
    assert await photo_lists.home_ids(database, ben.id, before=None, limit=9) == []


async def test_followers_of_private_accounts(database: Database) -> None:
    """Followers find a private account's photos by id, tag and author, but not among the newest."""
    ann, ben = await new_users(database, "ann", "ben")
    await follow(database, ben, ann)
    photo = await ready_photo(database, ann, tags=["t"])
    async with database.transaction() as tx:
        await account_fields.update(tx, ann.id, private=True)
    assert await _sees(database, photo, ben)
    assert not await _sees(database, photo, None)
    assert (await photos.get(database, photo.id, viewer_id=ben.id)).author_private
    page: dict[str, Any] = {"viewer_id": ben.id, "before": None, "limit": 9}
    assert [p.id for p in await photo_lists.by_tag(database, "t", **page)] == [photo.id]
    assert [p.id for p in await photo_lists.by_author(database, ann.id, **page)] == [photo.id]
    assert await photo_lists.newest(database, **page) == []
    assert await photo_lists.home_ids(database, ben.id, before=None, limit=9) == [photo.id]


async def test_authors_list_their_own_in_every_state(database: Database) -> None:
    """The list of a user's own photos includes those that are not ready."""
    ann = await new_user(database, "ann")
    made = [await ready_photo(database, ann), await processing_photo(database, ann)]
    own = await photo_lists.by_author(database, ann.id, viewer_id=ann.id, before=None, limit=9)
    assert [photo.id for photo in own] == [made[1].id, made[0].id]
    others = await photo_lists.by_author(database, ann.id, viewer_id=None, before=None, limit=9)
    assert [photo.id for photo in others] == [made[0].id]
    assert await photo_lists.author_ids(database, ann.id, limit=9) == [made[0].id]


async def test_pages(database: Database) -> None:
    """Every list continues below the last id, with neither gaps nor repeats."""
    ann, ben = await new_users(database, "ann", "ben")
    await follow(database, ben, ann)
    made = [(await ready_photo(database, ann, tags=["t"])).id for _ in range(5)][::-1]

    async def page(name: str, before: int | None) -> list[int]:
        window: dict[str, Any] = {"before": before, "limit": 2}
        if name == "home":
            return await photo_lists.home_ids(database, ben.id, **window)
        window["viewer_id"] = ben.id
        found = {
            "newest": lambda: photo_lists.newest(database, **window),
            "tag": lambda: photo_lists.by_tag(database, "t", **window),
            "author": lambda: photo_lists.by_author(database, ann.id, **window),
        }
        return [photo.id for photo in await found[name]()]

    for name in ("home", "newest", "tag", "author"):
        read: list[int] = []
        while more := await page(name, read[-1] if read else None):
            read += more
        assert read == made, name


async def test_home_feed(database: Database) -> None:
    """A home feed has the viewer's photos and those of followed users, without muted ones."""
    ann, ben, cat, dan = await new_users(database, "ann", "ben", "cat", "dan")
    for followee in (ben, cat):
        await follow(database, ann, followee)
    own, bens, cats, _ = [await ready_photo(database, author) for author in (ann, ben, cat, dan)]
    assert await photo_lists.home_ids(database, ann.id, before=None, limit=9) == [cats.id, bens.id, own.id]
    assert await photo_lists.home_ids(database, ann.id, before=cats.id, limit=1) == [bens.id]
    async with database.transaction() as tx:
        await blocks.mute(tx, ann.id, ben.id)
    assert await photo_lists.home_ids(database, ann.id, before=None, limit=9) == [cats.id, own.id]


async def test_edit(database: Database) -> None:
    """An edit changes the given fields, and tags with their index; only the author can edit."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann, caption="a", tags=["old"], location="Rome")
    async with database.transaction() as tx:
        edited, liked = await photo_edits.edit(tx, photo.id, author_id=ann.id, tags=["new", "new"], location="")
        assert not liked
        with pytest.raises(NotFoundError):
            await photo_edits.edit(tx, photo.id, author_id=ben.id, caption="mine")
    assert (edited.caption, edited.tags, edited.location) == ("a", ("new",), None)
    assert await photo_lists.by_tag(database, "old", viewer_id=None, before=None, limit=9) == []
    assert await photo_lists.by_tag(database, "new", viewer_id=None, before=None, limit=9) == [edited]


async def test_an_edit_is_dated_and_announced_if_it_changes_something(database: Database) -> None:
    """A change sets `edited_at` and emits an event; one that leaves all as it was does neither, and others cannot."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann, caption="a", location="Rome")
    assert photo.edited_at is None
    before = await topics(database)
    unchanged: list[dict[str, Any]] = [{}, {"caption": "a"}, {"location": "Rome", "taken_at": ""}]
    for fields in unchanged:
        async with database.transaction() as tx:
            assert await photo_edits.edit(tx, photo.id, author_id=ann.id, **fields) == (photo, False)
            with pytest.raises(NotFoundError):
                await photo_edits.edit(tx, photo.id, author_id=ben.id, **fields)
    assert await topics(database) == before
    moment = datetime(2026, 11, 20, 11, tzinfo=UTC)
    changes: list[dict[str, Any]] = [{"caption": "b"}, {"taken_at": moment.isoformat()}, {"taken_at": ""}]
    for fields in changes:
        async with database.transaction() as tx:
            edited, _ = await photo_edits.edit(tx, photo.id, author_id=ann.id, **fields)
        assert edited.edited_at is not None
        assert edited.taken_at == (moment if fields.get("taken_at") else None)
    assert (edited.caption, edited.location) == ("b", "Rome")
    assert await topics(database) == [*before, *["photo.edited"] * 3]


async def test_the_time_of_the_file_does_not_replace_the_author_s(database: Database) -> None:
    """The EXIF gives the time unless the author has said another one while the photo was processed."""
    ann, theirs, its = (
        await new_user(database, "ann"),
        datetime(2020, 1, 2, tzinfo=UTC),
        datetime(2026, 1, 2, tzinfo=UTC),
    )
    edited, other = await processing_photo(database, ann), await processing_photo(database, ann)
    size: dict[str, Any] = {"width": 4, "height": 3, "placeholder": None, "exif": None}
    async with database.transaction() as tx:
        await photo_edits.edit(tx, edited.id, author_id=ann.id, taken_at=theirs.isoformat())
        for photo in (edited, other):
            await photo_processing.mark_ready(tx, photo.id, taken_at=its, **size)
    found = await photos.load(database, [edited.id, other.id])
    assert [found[photo.id].taken_at for photo in (edited, other)] == [theirs, its]


async def test_a_photo_is_read_and_edited_with_the_viewer_s_own_like(database: Database) -> None:
    """A like of the viewer is returned with the photo, and a like of another user is not; a visitor likes nothing."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    for liker in (ben, ann):
        async with database.transaction() as tx:
            await likes.add(tx, photo_id=photo.id, user_id=liker.id)
            edited = await photo_edits.edit(tx, photo.id, author_id=ann.id, caption=liker.username)
        assert edited == await photos.get_with_like(database, photo.id, viewer_id=ann.id)
        assert (edited[0].caption, edited[1]) == (liker.username, liker is ann)
    assert (await photos.get_with_like(database, photo.id, viewer_id=ben.id))[1]
    assert not (await photos.get_with_like(database, photo.id, viewer_id=None))[1]


async def test_only_the_author_deletes(database: Database) -> None:
    """The photo of another user is not found by a deletion."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    with pytest.raises(NotFoundError):
        async with database.transaction() as tx:
            await photo_deletion.delete(tx, photo.id, author_id=ben.id)
    assert await _sees(database, photo, None)


async def test_load(database: Database) -> None:
    """Photos are loaded in any state, independent of a viewer, without deleted ones."""
    ann = await new_user(database, "ann", private=True)
    ready, waiting, gone = [await processing_photo(database, ann) for _ in range(3)]
    await _delete(database, gone)
    assert set(await photos.load(database, [ready.id, waiting.id, gone.id, 5])) == {ready.id, waiting.id}


async def test_originals(database: Database) -> None:
    """An original is public while a public photo has it, and referenced until the last photo is deleted."""
    ann, ben = await new_user(database, "ann", private=True), await new_user(database, "ben")
    sha256 = "c" * 64
    first = await ready_photo(database, ann, sha256=sha256)
    assert not await photo_contents.is_public(database, sha256)
    second = await processing_photo(database, ben, sha256=sha256)
    assert not await photo_contents.is_public(database, sha256)
    async with database.transaction() as tx:
        await photo_processing.mark_ready(tx, second.id, width=1, height=1, placeholder=None, exif=None)
    assert await photo_contents.is_public(database, sha256)
    await _delete(database, second)
    assert not await photo_contents.is_public(database, sha256)
    assert await photo_contents.is_referenced(database, sha256)
    await _delete(database, first)
    assert not await photo_contents.is_referenced(database, sha256)


async def test_suggestions_are_read_by_the_author_alone(database: Database) -> None:
    """The author gets them with a single photo, after an edit too, until the data of the file are deleted."""
    ann, ben = await new_users(database, "ann", "ben")
    texts = {"alt_text": "A dog"}
    photo = await ready_photo(database, ann, suggestions=texts)
    other = await ready_photo(database, ann)
    assert (photo.suggestions, other.suggestions) == (texts, {})
    for viewer_id in (ben.id, None):
        assert (await photos.get(database, photo.id, viewer_id=viewer_id)).suggestions == {}
    async with database.transaction() as tx:
        assert (await photo_edits.edit(tx, photo.id, author_id=ann.id, caption="x"))[0].suggestions == texts
    assert await photo_exif.suggestions(database, [photo.id, other.id], author_id=ann.id) == {photo.id: texts}
    assert await photo_exif.suggestions(database, [photo.id], author_id=ben.id) == {}
    async with database.transaction() as tx:
        await photo_exif.delete(tx, photo.id, author_id=ann.id)
    assert (await photos.get(database, photo.id, viewer_id=ann.id)).suggestions == {}


async def test_a_photo_that_is_deleted_meanwhile_does_not_end_the_feed_of_tags(database: Database) -> None:
    """A page from which a photo disappears while it is read is filled up with the next ones."""
    ann, ben = await new_users(database, "ann", "ben")
    made = [(await ready_photo(database, ben, tags=["sea"])).id for _ in range(4)][::-1]

    async def delete() -> None:
        async with database.transaction() as tx:
            await photo_deletion.delete(tx, made[1], author_id=ben.id)

    db = Meanwhile(database, delete)
    found = await photo_lists.by_tags(db, ["sea"], viewer_id=ann.id, before=None, limit=3)
    assert [photo.id for photo in found] == [made[0], made[2], made[3]]
