"""Likes, comments and the inbox over the API."""

from __future__ import annotations

import pytest

from storage import ids
from storage.notifications import NotificationKind
from tests.support.api import Api
from tests.support.community import record_notification
from tests.support.inboxes import counters_json
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines


async def test_a_like_shows_in_the_response_and_the_next_feed(api: Api) -> None:
    """The counters of the response, the photo and the feed agree at once; repeating it changes nothing."""
    ann, bob = await api.user(), await api.user("bob")
    await bob.follow(ann)
    photo = await ann.upload(photograph())
    await api.finish(photo)
    assert (await bob.feed())[0]["likes"] == 0
    for _ in range(2):
        assert (await bob.call("PUT", f"/photos/{photo['id']}/like")).expect(200) == {"liked": True, "likes": 1}
    item = (await bob.feed())[0]
    assert (item["likes"], item["liked"]) == (1, True)
    alone = (await bob.call("GET", f"/photos/{photo['id']}")).expect(200)
    assert (alone["likes"], alone["liked"]) == (1, True)
    assert (await ann.feed())[0]["liked"] is False
    likers = (await ann.call("GET", f"/photos/{photo['id']}/likes")).expect(200)["items"]
    assert [liker["username"] for liker in likers] == ["bob"]
    for _ in range(2):
        assert (await bob.call("DELETE", f"/photos/{photo['id']}/like")).expect(200) == {"liked": False, "likes": 0}
    item = (await bob.feed())[0]
    assert (item["likes"], item["liked"]) == (0, False)


async def test_comments_are_created_listed_and_deleted(api: Api) -> None:
    """Comments are listed newest first; only their author and the photo's owner may delete them."""
    ann, bob, cay = await api.user(), await api.user("bob"), await api.user()
    photo = await ann.upload(photograph())
    await api.finish(photo)
    path = f"/photos/{photo['id']}/comments"
    first = (await bob.call("POST", path, json={"text": "  one\r\ntwo  "})).expect(201)
    assert first["text"] == "one\ntwo"
    assert first["author"]["username"] == "bob"
    second = (await cay.call("POST", path, json={"text": "three"})).expect(201)
    listed = (await api.visitor.call("GET", path)).expect(200)["items"]
    assert [item["id"] for item in listed] == [second["id"], first["id"]]
    assert (await ann.feed())[0]["comments"] == 2
    (await cay.call("DELETE", f"/comments/{first['id']}")).expect(404)
    (await bob.call("DELETE", f"/comments/{first['id']}")).expect(204)
    (await ann.call("DELETE", f"/comments/{second['id']}")).expect(204)
    assert (await ann.feed())[0]["comments"] == 0


async def test_an_invalid_comment_is_rejected(api: Api) -> None:
    """An empty, too long or malformed comment is a 422 that names the field."""
    ann = await api.user()
    photo = await ann.upload(photograph())
    for text in ("", "   ", "x" * 1001, "nul\x00", 5, None):
        problem = (await ann.call("POST", f"/photos/{photo['id']}/comments", json={"text": text})).expect(422)
        assert problem["errors"][0]["field"] == "text", text


async def test_notifications_are_listed_counted_and_marked(api: Api) -> None:
    """Notifications are listed and counted, then marked as seen and as read."""
    ann, bob = await api.user(), await api.user("bob")
    photo = await ann.upload(photograph())
    async with api.services.db.transaction() as tx:
        await record_notification(
            tx,
            recipient_id=ids.decode(ann.id),
            kind=NotificationKind.LIKE,
            actor_id=ids.decode(bob.id),
            photo_id=ids.decode(photo["id"]),
            source_id=ids.decode(photo["id"]),
        )
    inbox = (await ann.call("GET", "/notifications")).expect(200)
    (entry,) = inbox["items"]
    assert entry["text"] == "bob liked your photo"
    assert (entry["seen"], entry["read"], entry["photo_id"]) == (False, False, photo["id"])
    assert (await ann.call("GET", "/notifications/counters")).expect(200) == counters_json(like=(1, 1))
    (await bob.call("POST", "/notifications/read", json={"ids": [entry["id"]]})).expect(204)
    assert (await ann.call("GET", "/notifications/counters")).expect(200) == counters_json(like=(1, 1))
    older = ids.encode(ids.decode(entry["position"]) - 1)
    (await ann.call("POST", "/notifications/seen", json={"up_to": older})).expect(204)
    assert (await ann.call("GET", "/notifications/counters")).expect(200) == counters_json(like=(1, 1))
    (await ann.call("POST", "/notifications/seen", json={"up_to": entry["position"]})).expect(204)
    assert (await ann.call("GET", "/notifications/counters")).expect(200) == counters_json(like=(0, 1))
    (await ann.call("POST", "/notifications/read")).expect(204)
    assert (await ann.call("GET", "/notifications/counters")).expect(200) == counters_json()
    (await ann.call("POST", "/notifications/read", json={"ids": ["nonsense"]})).expect(422)
