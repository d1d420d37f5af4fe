"""Comments over the API: replies, orders, likes, edits, pins, mentions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api import Api
from tests.support.api_user import ApiUser
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines


async def ready(api: Api, owner: ApiUser, caption: str = "") -> dict[str, Any]:
    """Return a photo that is shown."""
    photo = await owner.upload(photograph(), caption)
    await api.finish(photo)
    return photo


async def test_a_thread(api: Api) -> None:
    """Replies, likes, edits and pins are in the responses and the list, and the counters in the feed agree at once."""
    ann, bob, cat = await api.user(), await api.user("bob"), await api.user("cat")
    photo = await ready(api, ann)
    path = f"/photos/{photo['id']}/comments"
    top = (await bob.call("POST", path, json={"text": "first"})).expect(201)
    other = (await bob.call("POST", path, json={"text": "second"})).expect(201)
    assert (top["reply_to"], top["replies"], top["first_replies"], top["edited_at"]) == (None, 0, [], None)
    reply = (await cat.call("POST", path, json={"text": "well", "reply_to": top["id"]})).expect(201)
    again = (await ann.call("POST", path, json={"text": "yes", "reply_to": reply["id"]})).expect(201)
    assert (reply["reply_to"], again["reply_to"], "first_replies" in reply) == (top["id"], top["id"], False)
    assert (await ann.feed())[0]["comments"] == 4
    for _ in range(2):
        like = (await cat.call("PUT", f"/comments/{top['id']}/like")).expect(200)
        assert like == {"liked": True, "likes": 1}
    (await bob.call("PUT", f"/comments/{other['id']}/pin")).expect(404)
    for _ in range(2):
        (await ann.call("PUT", f"/comments/{other['id']}/pin")).expect(204)
    assert (await ann.call("PUT", f"/comments/{reply['id']}/pin")).expect(409)["code"] == "reply_not_pinned"
    edited = (await bob.call("PATCH", f"/comments/{top['id']}", json={"text": " first! "})).expect(200)
    assert (edited["text"], edited["likes"], edited["edited_at"] is not None) == ("first!", 1, True)
    (await cat.call("PATCH", f"/comments/{top['id']}", json={"text": "mine"})).expect(404)

    items = (await cat.call("GET", path)).expect(200)["items"]
    assert [(item["id"], item["pinned"]) for item in items] == [(other["id"], True), (top["id"], False)]
    assert (items[1]["likes"], items[1]["liked"], items[1]["replies"]) == (1, True, 2)
    assert [item["text"] for item in items[1]["first_replies"]] == ["well", "yes"]
    replies = (await api.visitor.call("GET", f"/comments/{top['id']}/replies?limit=1")).expect(200)
    assert [item["text"] for item in replies["items"]] == ["well"]
    rest = await api.visitor.call("GET", f"/comments/{top['id']}/replies?cursor={replies['next']}")
    assert [item["text"] for item in rest.expect(200)["items"]] == ["yes"]

    for _ in range(2):
        assert (await cat.call("DELETE", f"/comments/{top['id']}/like")).expect(200) == {"liked": False, "likes": 0}
        (await ann.call("DELETE", f"/comments/{other['id']}/pin")).expect(204)
    (await ann.call("DELETE", f"/comments/{top['id']}")).expect(204)
    assert (await ann.feed())[0]["comments"] == 1
    (await cat.call("GET", f"/comments/{top['id']}/replies")).expect(404)


async def test_the_orders_have_cursors_of_their_own(api: Api) -> None:
    """Each is read without gaps, also where a page ends among the pinned ones; a cursor of the other is refused."""
    ann = await api.user()
    photo = await ready(api, ann)
    path = f"/photos/{photo['id']}/comments"
    made = [(await ann.call("POST", path, json={"text": name})).expect(201)["id"] for name in "abcde"]
    a, b, c, d, e = made
    for pinned in (a, c):
        (await ann.call("PUT", f"/comments/{pinned}/pin")).expect(204)
    (await ann.call("PUT", f"/comments/{b}/like")).expect(200)
    cursors: dict[str, str] = {}
    for order, expected in (("newest", [c, a, e, d, b]), ("top", [c, a, b, e, d])):
        found: list[str] = []
        following = f"{path}?order={order}&limit=1"
        while following:
            page = (await ann.call("GET", following)).expect(200)
            found += [item["id"] for item in page["items"]]
            cursors[order] = page["next"] or cursors[order]
            following = page["next"] and f"{path}?order={order}&limit=1&cursor={page['next']}"
        assert found == expected
    for order, wrong in (("newest", "top"), ("top", "newest")):
        (await ann.call("GET", f"{path}?order={order}&cursor={cursors[wrong]}")).expect(400)
    (await ann.call("GET", f"{path}?order=random")).expect(400)
    (await ann.call("GET", f"/comments/{a}/replies?cursor={cursors['newest']}")).expect(400)


async def test_mentions_and_tags_are_entities(api: Api) -> None:
    """Comments and captions name the accounts by id, and tags; the photo is on the page of its caption's tags."""
    ann, bob = await api.user(), await api.user("bob")
    photo = await ready(api, ann, "😀 @bob #Rocket")
    assert photo["caption_entities"] == [
        {"type": "mention", "offset": 3, "length": 4, "user_id": bob.id},
        {"type": "tag", "offset": 8, "length": 7, "tag": "rocket"},
    ]
    assert photo["tags"] == []
    tagged = (await bob.call("GET", "/photos?tag=rocket")).expect(200)["items"]
    assert [item["id"] for item in tagged] == [photo["id"]]
    assert tagged[0]["caption_entities"] == photo["caption_entities"]
    edit = await ann.call("PATCH", f"/photos/{photo['id']}", json={"caption": "up"})
    assert edit.expect(200)["caption_entities"] == []
    assert (await bob.call("GET", "/photos?tag=rocket")).expect(200)["items"] == []
    comment = await ann.call("POST", f"/photos/{photo['id']}/comments", json={"text": "@bob @nobody.here a@bob"})
    assert comment.expect(201)["entities"] == [{"type": "mention", "offset": 0, "length": 4, "user_id": bob.id}]
