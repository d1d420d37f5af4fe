"""Followed tags over the API, and the feed of their photos."""

from __future__ import annotations

from typing import Any

import pytest

from storage import ids
from storage.stores.accounts import account_fields, users
from storage.stores.social import blocks, tag_follows
from tests.support.api import Api
from tests.support.api_user import ApiUser
from tests.support.community import new_users, ready_photo

pytestmark = pytest.mark.engines


async def feed(viewer: ApiUser, **query: Any) -> dict[str, Any]:
    """Return a page of the feed of followed tags."""
    page: dict[str, Any] = (await viewer.call("GET", "/feed", params={"source": "tags", **query})).expect(200)
    return page


async def followed(viewer: ApiUser) -> list[str]:
    """Return the followed tags."""
    return [item["tag"] for item in (await viewer.call("GET", "/tags/followed")).expect(200)["items"]]


async def test_tags_are_followed_in_their_normal_form(api: Api) -> None:
    """Twice changes nothing, the number is limited, and what is no tag is refused."""
    viewer = await api.user()
    for tag in ("Sky", "sea", "SEA", "%23sea"):
        assert (await viewer.call("PUT", f"/tags/{tag}/follow")).status == 204
    assert await followed(viewer) == ["sea", "sky"]
    for _ in range(2):
        assert (await viewer.call("DELETE", "/tags/sky/follow")).status == 204
    assert await followed(viewer) == ["sea"]
    assert (await viewer.call("PUT", "/tags/two%20words/follow")).status == 400
    for number in range(tag_follows.MAX_TAGS - 1):
        assert (await viewer.call("PUT", f"/tags/t{number}/follow")).status == 204
    refused = await viewer.call("PUT", "/tags/one-more/follow")
    assert (refused.status, refused.json["code"]) == (409, "too_many_tags")
    assert (await viewer.call("PUT", "/tags/sea/follow")).status == 204
    assert (await api.visitor.call("PUT", "/tags/sea/follow")).status == 401


async def test_the_feed_of_followed_tags(api: Api) -> None:
    """Each photo once, newest first, page by page; the home feed stays as it is, and takes no cursor of this one."""
    db, viewer = api.services.db, await api.user()
    ann, ben = await new_users(db, "ann", "ben")
    assert await feed(viewer) == {"items": [], "next": None, "stream": None}
    for tag in ("sea", "sky"):
        await viewer.call("PUT", f"/tags/{tag}/follow")
    tags = (["sea"], ["other"], ["sky", "sea"], ["sky"], ["sea"])
    made = [await ready_photo(db, author, tags=list(own)) for own in tags for author in (ann, ben)]
    expected = [ids.encode(photo.id) for photo in reversed(made) if photo.tags != ("other",)]
    seen: list[str] = []
    page = await feed(viewer, limit=3)
    first = page["next"]
    while True:
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        page = await feed(viewer, limit=3, cursor=page["next"])
    assert seen == expected
    assert (await viewer.call("GET", "/feed")).expect(200)["items"] == []
    for query in ({"cursor": first}, {"source": "nowhere"}):
        assert (await viewer.call("GET", "/feed", params=query)).status == 400


async def test_what_the_feed_of_followed_tags_leaves_out(api: Api) -> None:
    """Photos of muted, blocked and private users, and one's own."""
    db, viewer = api.services.db, await api.user()
    me = ids.decode(viewer.id)
    ann, ben, cat, dan = await new_users(db, "ann", "ben", "cat", "dan")
    await viewer.call("PUT", "/tags/sea/follow")
    (shown, *_) = [await ready_photo(db, author, tags=["sea"]) for author in (ann, ben, cat, dan)]
    await ready_photo(db, await users.get(db, me), tags=["sea"])
    async with db.transaction() as tx:
        await blocks.mute(tx, me, ben.id)
        await blocks.block(tx, cat.id, me)
        await account_fields.update(tx, dan.id, private=True)
    assert [item["id"] for item in (await feed(viewer))["items"]] == [ids.encode(shown.id)]
