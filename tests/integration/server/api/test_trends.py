"""What trends, over the API: which photos a viewer is shown, and pages that do not change while they are read."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from storage import ids
from storage.cache.photo_trends import PhotoTrends
from storage.cache.tag_trends import TagTrends
from storage.models import Photo, User
from storage.stores.accounts import account_fields
from storage.stores.discovery import photo_trends, tag_uses
from storage.stores.photos import likes, photo_deletion
from storage.stores.social import blocks, follows
from tests.support.api import Api
from tests.support.api_user import ApiUser
from tests.support.community import new_user, old_users, ready_photo

pytestmark = pytest.mark.engines


async def trending(api: Api, *authors: User, likers: list[User]) -> list[Photo]:
    """Let each author share a photo that all `likers` like, the first at the top."""
    db = api.services.db
    made = [await ready_photo(db, author) for author in reversed(authors)][::-1]
    for photo in made:
        for liker in likers:
            async with db.transaction() as tx:
                await likes.add(tx, photo_id=photo.id, user_id=liker.id)
    await PhotoTrends(api.services.stores.redis).put(await photo_trends.load(db, [photo.id for photo in made]))
    return made


async def shown(viewer: ApiUser, **query: Any) -> list[str]:
    """Return the ids of the first page."""
    page = (await viewer.call("GET", "/photos/trending", params=query)).expect(200)
    return [item["id"] for item in page["items"]]


async def test_who_is_shown_what(api: Api) -> None:
    """Everyone sees public photos, without those of users whom they mute or whom a block separates from them.

    Photos of private accounts are in no such list, not even for followers.
    """
    db = api.services.db
    fan, *authors = await old_users(db, "fan", "ann", "ben", "cat", "dan", "eve")
    made = [ids.encode(photo.id) for photo in await trending(api, *authors, likers=[fan])]
    viewer = await api.user("viewer")
    me = ids.decode(viewer.id)
    (first, *_) = (await viewer.call("GET", "/photos/trending")).expect(200)["items"]
    assert (first["id"], first["likes"], first["liked"]) == (made[0], 1, False)
    assert await shown(viewer) == await shown(api.visitor) == made
    ann, ben, cat, dan, eve = authors
    async with db.transaction() as tx:
        await blocks.block(tx, ann.id, me)
        await blocks.block(tx, me, ben.id)
        await blocks.mute(tx, me, cat.id)
        await follows.follow(tx, me, dan.id)
        await account_fields.update(tx, dan.id, private=True)
        await photo_deletion.delete(tx, ids.decode(made[4]), author_id=eve.id)
    assert await shown(viewer) == []
    assert await shown(api.visitor) == made[:3]


async def test_pages(api: Api) -> None:
    """All photos, each once, although the ranking changes meanwhile; a cursor of another list is refused."""
    db = api.services.db
    fan, *authors = await old_users(db, "fan", *(f"author{n}" for n in range(7)))
    made = [ids.encode(photo.id) for photo in await trending(api, *authors, likers=[fan])]
    viewer, seen, cursor = await api.user(), [], None
    while True:
        query = {"limit": "3", **({"cursor": cursor} if cursor else {})}
        page = (await viewer.call("GET", "/photos/trending", params=query)).expect(200)
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
        last = cursor
        await PhotoTrends(api.services.stores.redis).put(await trends_with_more_likes(api, made[-1]))
    assert seen == made
    for path in ("/tags/trending", "/photos"):
        assert (await viewer.call("GET", path, params={"cursor": last})).status == 400


async def trends_with_more_likes(api: Api, photo_id: str) -> list[Any]:
    """Return the state of a photo after another like."""
    db = api.services.db
    (another,) = await old_users(db, f"fan{secrets.token_hex(4)}")
    async with db.transaction() as tx:
        await likes.add(tx, photo_id=ids.decode(photo_id), user_id=another.id)
    return await photo_trends.load(db, [ids.decode(photo_id)])


async def test_photos_come_no_closer_where_some_are_left_out(api: Api) -> None:
    """Of an author there is one photo on a page, also for a viewer who is not shown those in between."""
    db = api.services.db
    fan, prolific, *others = await old_users(db, "fan", "prolific", *(f"author{n}" for n in range(20)))
    made = await trending(api, prolific, *others, prolific, likers=[fan])
    viewer = await api.user()
    everything = await shown(viewer, limit=100)
    assert everything == [ids.encode(photo.id) for photo in made]
    async with db.transaction() as tx:
        for other in others[:5]:
            await blocks.mute(tx, ids.decode(viewer.id), other.id)
    assert await shown(viewer, limit=100) == [everything[0], *everything[6:-1]]


async def test_tags(api: Api) -> None:
    """Tags with the number of their authors, page by page."""
    db, trends = api.services.db, TagTrends(api.services.stores.redis)
    authors = await old_users(db, *(f"author{n}" for n in range(6)))
    for author in [*authors, await new_user(db, "new")]:
        photo = await ready_photo(db, author, tags=["sea", "sky"] if author != authors[0] else ["sea"])
        await trends.record(await tag_uses.of_photo(db, photo.id))
    await trends.rank()
    first = (await api.visitor.call("GET", "/tags/trending", params={"limit": 1})).expect(200)
    assert first["items"] == [{"tag": "sea", "authors": 6}]
    rest = (await api.visitor.call("GET", "/tags/trending", params={"cursor": first["next"]})).expect(200)
    assert rest == {"items": [{"tag": "sky", "authors": 5}], "next": None}
