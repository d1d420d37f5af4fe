"""Searches for users, tags and photos: what is found, in which order, and what a viewer may not find."""

from __future__ import annotations

from typing import Any

import pytest

from storage.ids import MAX_ID
from storage.models import Photo, PhotoAudience, User
from storage.postgres.database import Database
from storage.search_text import key, parse
from storage.stores.accounts import account_fields, users
from storage.stores.discovery import tag_search, user_search
from storage.stores.photos import photo_audience, photo_deletion, photo_edits, photo_search
from storage.stores.social import blocks
from tests.support.community import block, follow, new_user, new_users, processing_photo, ready_photo
from workers.jobs.discovery.search_index import SearchIndexer

pytestmark = pytest.mark.engines


async def found_users(database: Database, text: str, viewer: User | None = None, *, parts: bool = True) -> list[str]:
    """Return the usernames that a search finds, in order."""
    found: list[user_search.FoundUser] = []
    viewer_id = None if viewer is None else viewer.id
    await user_search.search(database, parse(text), found, viewer_id=viewer_id, parts=parts)
    assert [one.position for one in found] == sorted({one.position for one in found})
    return [one.user.username for one in found]


async def found_photos(database: Database, text: str, viewer: User | None = None, **page: int) -> list[int]:
    """Return the photos that a search finds, in order."""
    found: list[Photo] = []
    bounds = {"before": MAX_ID, "limit": 20, **page}
    viewer_id = None if viewer is None else viewer.id
    await photo_search.search(database, parse(text).lexemes, found, viewer_id=viewer_id, **bounds)
    return [photo.id for photo in found]


async def found_tags(database: Database, text: str, *, parts: bool = True) -> dict[str, int]:
    """Return the tags that a search finds and their numbers of photos, in order."""
    found: list[tag_search.FoundTag] = []
    await tag_search.search(database, parse(text), found, parts=parts)
    assert [one.position for one in found] == sorted({one.position for one in found})
    return {one.tag: one.photos for one in found}


async def counted(database: Database) -> int:
    """Count the marked tags; return their number."""
    return await SearchIndexer(database).count_tags()


async def update(database: Database, user: User, **fields: Any) -> None:
    """Change an account."""
    async with database.transaction() as tx:
        await account_fields.update(tx, user.id, **fields)


async def edit(database: Database, photo: Photo, **fields: Any) -> None:
    """Edit a photo."""
    async with database.transaction() as tx:
        await photo_edits.edit(tx, photo.id, author_id=photo.author.id, **fields)


async def address(database: Database, photo: Photo, audience: PhotoAudience) -> None:
    """Change the audience of a photo."""
    async with database.transaction() as tx:
        await photo_audience.change(tx, photo.id, author_id=photo.author.id, audience=audience)


async def test_users_are_found_by_any_part_of_their_names(database: Database) -> None:
    """Username and display name are found by their beginning, within, in any order and with a wrong letter."""
    ann, _ = await new_users(database, "ann_weaver", "bob")
    await update(database, ann, display_name="Åsa Łuńska")
    for text in ("a", "an", "as", "ann_w", "@ANN_WEAVER", "asa", "luns", "eaver", "luńska ÅSA", "weaver asa", "wea"):
        assert await found_users(database, text) == ["ann_weaver"], text
    for text in ("ann_waever", "weavre", "lunska asa"):
        assert await found_users(database, text) == ["ann_weaver"], text
    for text in ("%", "_", "'", "", "zz", "nn"):
        assert await found_users(database, text) == [], text
    assert await found_users(database, "bob") == ["bob"]
    await update(database, ann, username="renamed")
    assert (await found_users(database, "renam"), await found_users(database, "ann_w")) == (["renamed"], [])


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("Мария Ёлкина", ["м", "мар", "ЕЛКИНА", "елкина мария", "лкин", "мрия"]),
        ("李明", ["李", "李明"]),
        ("محمد", ["م", "محم", "حمد"]),
        ("Ελένη", ["ελενη", "λεν"]),
    ],
)
async def test_names_of_any_script_are_found(database: Database, name: str, texts: list[str]) -> None:
    """A database with the locale C, as the embedded one has, finds names in any script as it does Latin ones."""
    ann, _ = await new_users(database, "u77", "u78")
    await update(database, ann, display_name=name)
    for text in texts:
        assert await found_users(database, text) == ["u77"], text


async def test_letters_that_the_index_does_not_distinguish_are(database: Database) -> None:
    """Two Chinese names may have one key; only the one that was typed is found."""
    li, other = await new_users(database, "u1", "u2")
    name, alike = "李明", "".join(chr(ord(letter) + 360) for letter in "李明")
    assert key(name) == key(alike)
    await update(database, li, display_name=name)
    await update(database, other, display_name=alike)
    for text in ("李", "李明"):
        assert await found_users(database, text) == ["u1"]


async def test_users_are_sorted_by_closeness_relation_and_followers(database: Database) -> None:
    """The exact name comes first, then those whom the viewer follows, then those with more followers."""
    names = ("anna", "anna_famous", "anna_friend", "joanna", "annabel")
    anna, famous, friend, *_ = await new_users(database, *names)
    viewer, *fans = await new_users(database, "viewer", "fan1", "fan2", "fan3")
    for fan in fans:
        await follow(database, fan, famous)
    await follow(database, viewer, friend)
    expected = ["anna", "anna_friend", "anna_famous", "annabel", "joanna"]
    assert await found_users(database, "anna", viewer) == expected
    assert await found_users(database, "an", viewer) == ["anna_friend", "anna_famous", "annabel", "anna"]
    for fan in fans[:2]:
        async with database.transaction() as tx:
            await blocks.block(tx, fan.id, famous.id)
    await follow(database, viewer, anna)
    assert await found_users(database, "anna", viewer) == ["anna", "anna_friend", "anna_famous", "annabel", "joanna"]


async def test_fame_changes_with_each_doubling_alone(database: Database) -> None:
    """It is the integer part of log2(followers + 1), and a follow between does not change the index."""
    star, *fans = await new_users(database, "star", *(f"fan{number}" for number in range(8)))
    fame = "SELECT fame, xmin::text FROM user_search WHERE user_id = $1"
    seen = []
    for fan in fans:
        await follow(database, fan, star)
        seen.append(await database.fetchrow(fame, star.id))
    assert [row["fame"] for row in seen if row is not None] == [1, 1, 2, 2, 2, 2, 3, 3]
    assert len({row["xmin"] for row in seen if row is not None}) == 3


@pytest.mark.parametrize("text", ["c", "cl", "clau", "cluadia"])
@pytest.mark.parametrize("followed", [False, True])
async def test_hidden_users_are_not_found(database: Database, text: str, followed: bool) -> None:
    """Neither one who blocks the viewer or is blocked, nor a deleted or unsearchable one, by any way."""
    names = ("claudia_blocks", "claudia_blocked", "claudia_deleted", "claudia_hidden")
    blocking, blocked, deleted, hidden = await new_users(database, *names)
    viewer = await new_user(database, "viewer")
    if followed:
        for other in (deleted, hidden):
            await follow(database, viewer, other)
    assert set(await found_users(database, text, viewer)) == set(names)
    await block(database, blocking, viewer)
    await block(database, viewer, blocked)
    async with database.transaction() as tx:
        await users.remove(tx, deleted.id)
    await update(database, hidden, searchable=False)
    assert await found_users(database, text, viewer) == []
    assert len(await found_users(database, text)) == 2
    await update(database, hidden, searchable=True)
    assert await found_users(database, text, viewer) == ["claudia_hidden"]
    # Its row in the index may be that of a moment ago.
    await database.fetchval("UPDATE users SET searchable = false WHERE id = $1 RETURNING 1", hidden.id)
    assert await found_users(database, text, viewer) == []


async def test_a_search_without_trigrams_finds_beginnings(database: Database) -> None:
    """Without the extension names and tags are found by their beginning, as before, and nothing fails."""
    await database.fetchval("DROP INDEX user_search_parts")
    ann, _ = await new_users(database, "ann_weaver", "joann")
    await update(database, ann, display_name="Åsa Łuńska")
    photo = await ready_photo(database, ann, tags=["sunset"])
    await counted(database)
    for text in ("ann", "ann_wea", "asa lun", "ås"):
        assert await found_users(database, text, parts=False) == ["ann_weaver"], text
    assert await found_users(database, "weaver", parts=False) == []
    assert await found_tags(database, "sun", parts=False) == {"sunset": 1}
    assert await found_tags(database, "set", parts=False) == {}
    assert await found_photos(database, "sunset") == [photo.id]


async def test_photos_are_found_by_caption_tags_and_place(database: Database) -> None:
    """All words must be there, in any order and form; the last one may be a beginning."""
    ann = await new_user(database, "ann")
    photo = await ready_photo(database, ann, caption="Früh am Hafen", tags=["sunrise"], location="Lübeck")
    await ready_photo(database, ann, caption="Spät")
    for text in ("hafen", "fruh", "HAFEN früh", "sunr", "lubeck hafen", "#sunrise"):
        assert await found_photos(database, text) == [photo.id], text
    for text in ("afen", "hafen spat", "ha fen", "!"):
        assert await found_photos(database, text) == [], text
    await edit(database, photo, caption="Am Strand", tags=["beach"], location="")
    assert await found_photos(database, "strand beach") == [photo.id]
    for text in ("hafen", "sunrise", "lubeck"):
        assert await found_photos(database, text) == [], text


async def test_pages_of_photos_begin_below_an_id(database: Database) -> None:
    """The newest come first, and the next page has the others, also where the index of words is used."""
    ann = await new_user(database, "ann")
    made = [(await ready_photo(database, ann, caption="sea")).id for _ in range(3)]
    assert await found_photos(database, "sea", limit=2) == [made[2], made[1]]
    assert await found_photos(database, "sea", before=made[1], limit=2) == [made[0]]


async def test_photos_that_not_everyone_may_see_are_not_found(database: Database) -> None:
    """Neither in processing, deleted, of private, unsearchable, blocked or deleted accounts, also by a follower."""
    ann, viewer = await new_users(database, "ann", "viewer")
    await follow(database, viewer, ann)
    photo = await ready_photo(database, ann, caption="sea")
    assert await found_photos(database, "sea", viewer) == [photo.id]
    await processing_photo(database, ann, caption="sea")
    assert await found_photos(database, "sea", viewer) == [photo.id]
    for audience in (PhotoAudience.FOLLOWERS, PhotoAudience.CLOSE_FRIENDS, PhotoAudience.ONLY_ME):
        await address(database, photo, audience)
        assert await found_photos(database, "sea", viewer) == await found_photos(database, "sea", ann) == []
    await address(database, photo, PhotoAudience.PUBLIC)
    for hidden in ({"private": True}, {"searchable": False}):
        await update(database, ann, **hidden)
        assert await found_photos(database, "sea", viewer) == []
        await update(database, ann, **{name: not value for name, value in hidden.items()})
        assert await found_photos(database, "sea", viewer) == [photo.id]
    await block(database, ann, viewer)
    assert await found_photos(database, "sea", viewer) == []
    assert await found_photos(database, "sea") == [photo.id]
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=ann.id)
    assert await found_photos(database, "sea") == []
    assert await database.fetchval("SELECT count(*) FROM photo_text WHERE photo_id = $1", photo.id) == 0


async def test_tags_are_found_by_beginning_part_and_likeness(database: Database) -> None:
    """Those that begin with the text come first, by their photos; spaces and signs do not count."""
    ann = await new_user(database, "ann")
    for tags in (["new_york", "café"], ["newyork"], ["newyork"], ["oldnewyorker"], ["日本"]):
        await ready_photo(database, ann, tags=tags)
    await counted(database)
    assert await found_tags(database, "new york") == {"newyork": 2, "new_york": 1, "oldnewyorker": 1}
    assert await found_tags(database, "#cafe") == {"café": 1}
    assert await found_tags(database, "nweyork") == {"newyork": 2, "new_york": 1}
    assert await found_tags(database, "日") == {"日本": 1}
    assert await found_tags(database, "%") == {}


async def test_tags_count_the_photos_that_everyone_may_find(database: Database) -> None:
    """Each change that hides or shows a photo changes the count, and a tag without such a photo is not found."""
    ann, bob = await new_users(database, "ann", "bob")
    photo = await ready_photo(database, ann, tags=["sea"])
    await ready_photo(database, bob, tags=["sea"])
    await processing_photo(database, ann, tags=["sea", "wait"])
    hidden = await new_user(database, "cay", private=True)
    await ready_photo(database, hidden, tags=["sea", "secret"])

    async def seas() -> int:
        await counted(database)
        return (await found_tags(database, "sea")).get("sea", 0)

    assert await seas() == 2
    assert await counted(database) == 0
    assert await found_tags(database, "secret") == await found_tags(database, "wait") == {}
    await update(database, hidden, private=False)
    assert await seas() == 3
    await update(database, hidden, searchable=False)
    assert await seas() == 2
    await address(database, photo, PhotoAudience.FOLLOWERS)
    assert await seas() == 1
    await address(database, photo, PhotoAudience.PUBLIC)
    assert await seas() == 2
    await edit(database, photo, tags=["lake"])
    assert await seas() == 1
    assert await found_tags(database, "lake") == {"lake": 1}
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=ann.id)
    await counted(database)
    assert await found_tags(database, "lake") == {}
    await update(database, bob, private=True)
    assert await seas() == 0
    assert await database.fetchval("SELECT count(*) FROM tags") == 0


async def test_a_tag_whose_photos_were_just_hidden_is_not_found(database: Database) -> None:
    """The count may be that of before, but a tag that nobody else uses does not show that it was there."""
    ann = await new_user(database, "ann")
    await ready_photo(database, ann, tags=["secret"])
    await counted(database)
    await update(database, ann, private=True)
    assert await database.fetchval("SELECT photos FROM tags WHERE tag = 'secret'") == 1
    for text in ("secret", "cret", "secert"):
        assert await found_tags(database, text) == {}
