"""The inbox over HTTP and on the live connections of its user: filters, deletion and its undoing, bells."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from storage.ids import encode
from storage.redis.client import Redis
from tests.support.api import Api, InspectableServices
from tests.support.api_user import ApiUser
from tests.support.inboxes import counters_json
from tests.support.live_api import Socket, connected, notify, running_live_api
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines


@pytest.fixture
async def api(services: InspectableServices, redis: Redis) -> AsyncIterator[Api]:
    """A running API with live connections."""
    async with running_live_api(services, redis) as running:
        yield running


async def liked(api: Api, owner: ApiUser, fan: ApiUser) -> dict[str, Any]:
    """Return the entry of a like of a new photo."""
    photo = await owner.upload(photograph())
    await api.finish(photo)
    (await fan.call("PUT", f"/photos/{photo['id']}/like")).expect(200)
    await notify(api)
    entry: dict[str, Any] = (await owner.call("GET", "/notifications")).expect(200)["items"][0]
    return entry


async def texts(user: ApiUser, query: str = "") -> list[str]:
    """Return the sentences of an inbox."""
    return [entry["text"] for entry in (await user.call("GET", f"/notifications{query}")).expect(200)["items"]]


async def published(socket: Socket) -> dict[str, Any]:
    """Return the next publication in the stream of notifications, with its offset."""
    while True:
        push = (await socket.until("push"))["push"]
        if push["channel"] == "notifications":
            document: dict[str, Any] = push["pub"]["data"] | {"offset": push["pub"]["offset"]}
            return document


async def test_the_inbox_is_filtered_by_kinds(api: Api) -> None:
    """A page of some kinds has the counters of all, and its cursor goes on with the same kinds alone."""
    ann, bob = await api.user("ann"), await api.user("bob")
    for _ in range(2):
        await liked(api, ann, bob)
    await bob.follow(ann)
    await notify(api)
    assert await texts(ann, "?kinds=follow,mention") == ["bob started following you"]
    page = (await ann.call("GET", "/notifications?kinds=like&limit=1")).expect(200)
    assert page["counters"] == counters_json(like=(2, 2), follow=(1, 1))
    rest = (await ann.call("GET", f"/notifications?kinds=like&cursor={page['next']}")).expect(200)
    assert (len(rest["items"]), rest["counters"]) == (1, None)
    for query in ("?kinds=", "?kinds=like,nonsense", "?kinds=decision", f"?cursor={page['next']}"):
        problem = (await ann.call("GET", f"/notifications{query}")).expect(400)
        assert problem["errors"][0]["field"] in {"kinds", "cursor"}, query
    problem = (await ann.call("POST", "/notifications/seen", json={"kinds": ["decision"]})).expect(422)
    assert "Use 'moderation'" in problem["errors"][0]["message"]
    (await ann.call("POST", "/notifications/seen", json={"kinds": ["like"]})).expect(204)
    assert (await ann.call("GET", "/notifications/counters")).expect(200) == counters_json(like=(0, 2), follow=(1, 1))


async def test_a_deletion_reaches_all_devices_and_can_be_undone(api: Api) -> None:
    """Two sockets of the user get the same publications at the same offsets, and another user none."""
    ann, bob = await api.user("ann"), await api.user("bob")
    entry = await liked(api, ann, bob)
    sockets = [await connected(api, ann), await connected(api, ann)]
    (await bob.call("DELETE", f"/notifications/{entry['id']}")).expect(404)
    (await ann.call("DELETE", f"/notifications/{encode(7)}")).expect(404)
    for _ in range(2):
        (await ann.call("DELETE", f"/notifications/{entry['id']}")).expect(204)
    assert await texts(ann) == []
    (await ann.call("POST", f"/notifications/{entry['id']}/restore")).expect(204)
    (await ann.call("POST", f"/notifications/{entry['id']}/restore")).expect(404)
    assert await texts(ann) == ["bob liked your photo"]
    received = [[await published(socket) for _ in range(2)] for socket in sockets]
    assert received[0] == received[1]
    removed, restored = received[0]
    assert (removed["type"], removed["notification_id"]) == ("notification.removed", entry["id"])
    assert removed["counters"] == counters_json()
    assert (restored["type"], restored["notification"]["id"]) == ("notification.changed", entry["id"])
    assert restored["counters"] == counters_json(like=(1, 1))
    assert restored["offset"] > removed["offset"]


async def test_what_is_read_is_deleted_at_once(api: Api) -> None:
    """Marks and the deletion of all that is read reach the other device; unread entries stay."""
    ann, bob = await api.user("ann"), await api.user("bob")
    first, second = await liked(api, ann, bob), await liked(api, ann, bob)
    socket = await connected(api, ann)
    (await ann.call("POST", "/notifications/read", json={"up_to": first["position"]})).expect(204)
    (await ann.call("DELETE", "/notifications")).expect(400)
    (await ann.call("DELETE", "/notifications?read=false")).expect(400)
    (await ann.call("DELETE", "/notifications?read=true&kinds=like")).expect(204)
    marked, removed = await published(socket), await published(socket)
    assert (marked["type"], marked["up_to"], marked["mark"]) == ("notifications.marked", first["position"], "read")
    assert removed.pop("offset") > marked["offset"]
    newest = {"up_to": second["position"], "kinds": ["like"], "read": True}
    assert removed == {"type": "notifications.removed", "counters": counters_json(like=(1, 1)), **newest}
    assert [entry["id"] for entry in (await ann.call("GET", "/notifications")).expect(200)["items"]] == [second["id"]]


async def test_a_bell_is_turned_on_and_off(api: Api) -> None:
    """It needs a follow, may be repeated, and is in the profile; the notification leads to the photo."""
    ann, bob = await api.user("ann"), await api.user("bob")
    problem = (await bob.call("POST", f"/users/{ann.id}/bell")).expect(409)
    assert problem["code"] == "not_following"
    (await bob.call("POST", f"/users/{encode(7)}/bell")).expect(404)
    await bob.follow(ann)
    for method, state in (("POST", True), ("POST", True), ("DELETE", False), ("DELETE", False), ("POST", True)):
        (await bob.call(method, f"/users/{ann.id}/bell")).expect(204)
        assert (await bob.call("GET", f"/users/{ann.id}")).expect(200)["relation"]["bell"] is state
    photo = await ann.upload(photograph())
    await api.finish(photo)
    await notify(api)
    (entry,) = (await bob.call("GET", "/notifications")).expect(200)["items"]
    assert (entry["text"], entry["photo_id"]) == ("ann posted a photo", photo["id"])


async def test_a_comment_is_read_alone(api: Api) -> None:
    """A comment and a reply, each as in lists; not below a photo that the viewer may not see, or of a hidden author."""
    ann, bob, cat = await api.user("ann"), await api.user("bob"), await api.user("cat")
    photo = await ann.upload(photograph())
    await api.finish(photo)
    path = f"/photos/{photo['id']}/comments"
    comment = (await bob.call("POST", path, json={"text": "nice"})).expect(201)
    reply = (await cat.call("POST", path, json={"text": "yes", "reply_to": comment["id"]})).expect(201)
    for each in (comment, reply):
        for viewer in (ann, api.visitor):
            assert (await viewer.call("GET", f"/comments/{each['id']}")).expect(200)["text"] == each["text"]
    (await ann.call("PUT", f"/users/{bob.id}/block")).expect(204)
    for each in (comment, reply):
        (await ann.call("GET", f"/comments/{each['id']}")).expect(404)
    (await ann.call("PATCH", f"/photos/{photo['id']}", json={"audience": "only_me"})).expect(200)
    (await cat.call("GET", f"/comments/{reply['id']}")).expect(404)
    (await api.visitor.call("GET", f"/comments/{encode(7)}")).expect(404)
