"""The application with live connections: permission to connect and to subscribe."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from storage import events
from storage.redis.client import Redis
from tests.support.api import Api, InspectableServices
from tests.support.api_user import PASSWORD, ApiUser
from tests.support.cases import case_about, decide, moderator, report
from tests.support.eventually import PROMPTLY
from tests.support.inboxes import counters_json
from tests.support.live_api import PATH, Socket, connected, notify, running_live_api
from tests.support.pictures import photograph
from workers.jobs.feeds.relations import RelationHandlers

pytestmark = pytest.mark.engines


@pytest.fixture
async def api(services: InspectableServices, redis: Redis) -> AsyncIterator[Api]:
    """A running API with live connections."""
    async with running_live_api(services, redis) as running:
        yield running


async def test_a_websocket_from_a_foreign_origin_is_403(api: Api) -> None:
    """A page of another site gets no connection; the own page and programs do."""
    for origin in ("https://attacker.example", "null", f"http://attacker.127.0.0.1:{api.port}"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await api.session.ws_connect(api.url + PATH, origin=origin)
        assert caught.value.status == 403
    await (await api.session.ws_connect(api.url + PATH, origin=api.url)).close()
    await (await api.session.ws_connect(api.url + PATH)).close()


async def test_streams_and_photos_of_other_users_are_error_103(api: Api) -> None:
    """Another user's stream, an unpublished photo, and a photo after a block cannot be subscribed to."""
    ann, bob = await api.user(), await api.user()
    draft, photo = await ann.upload(photograph()), await ann.upload(photograph())
    await api.finish(photo)
    socket = await connected(api, bob)
    for channel in (f"feed:{ann.id}", f"notifications:{ann.id}", f"photo:{draft['id']}"):
        assert (await socket.request(subscribe={"channel": channel}))["error"]["code"] == 103, channel
    assert (await socket.request(subscribe={"channel": "nonsense"}))["error"]["code"] == 102
    assert "subscribe" in await socket.request(subscribe={"channel": f"photo:{photo['id']}"})
    (await ann.call("PUT", f"/users/{bob.id}/block")).expect(204)
    ended = (await socket.until("push"))["push"]
    assert (ended["channel"], ended["unsubscribe"]["code"]) == (f"photo:{photo['id']}", 2000)
    assert (await socket.request(subscribe={"channel": f"photo:{photo['id']}"}))["error"]["code"] == 103


async def test_comments_do_not_cross_a_block(api: Api) -> None:
    """On a third user's photo a comment reaches only users who also see it in the API, from the block to its end."""
    ann, bob, cat = await api.user(), await api.user(), await api.user()
    photo = await ann.upload(photograph())
    await api.finish(photo)
    sockets = {user.id: await connected(api, user) for user in (ann, bob, cat)}
    for socket in sockets.values():
        assert "subscribe" in await socket.request(subscribe={"channel": f"photo:{photo['id']}"})
    comments, block = f"/photos/{photo['id']}/comments", f"/users/{cat.id}/block"
    for method, expected in (("PUT", 1), ("DELETE", 2)):
        (await bob.call(method, block)).expect(204)
        for user in (bob, cat):
            (await user.call("POST", comments, json={"text": user.id})).expect(201)
            await notify(api)
        (await ann.call("POST", comments, json={"text": "end"})).expect(201)
        await notify(api)
        for user in (bob, cat):
            texts = [await next_comment(sockets[user.id])]
            while texts[-1] != "end":
                texts.append(await next_comment(sockets[user.id]))
            assert len(texts) == expected + 1
            assert user.id in texts


async def next_comment(socket: Socket) -> str:
    """Return the text of the next comment that is published."""
    while True:
        push = (await socket.until("push"))["push"]
        if push["channel"].startswith("photo:"):
            text: str = push["pub"]["data"]["comment"]["text"]
            return text


async def test_subscriptions_end_with_the_response(api: Api) -> None:
    """A hidden presence and an unfollow end subscriptions without waiting for a worker."""
    ann, bob = await api.user(), await api.user()
    await bob.follow(ann)
    (await ann.call("PATCH", "/users/me", json={"private": True})).expect(200)
    socket = await connected(api, bob)

    async def subscribe(*kinds: str) -> None:
        for kind in kinds:
            assert "subscribe" in await socket.request(subscribe={"channel": f"{kind}:{ann.id}"}), kind

    async def ended() -> str:
        push = (await socket.until("push"))["push"]
        assert push["unsubscribe"]["code"] == 2000
        kind: str = push["channel"].partition(":")[0]
        return kind

    await subscribe("user", "presence")
    (await ann.call("PATCH", "/users/me", json={"presence": "nobody"})).expect(200)
    assert await ended() == "presence"
    (await bob.call("DELETE", f"/users/{ann.id}/follow")).expect(204)
    assert await ended() == "user"


async def test_a_private_account_ends_subscriptions_with_the_response(api: Api) -> None:
    """Only followers may subscribe again, and what they subscribe to outlasts the worker's repetition of the order."""
    ann, bob, cat = await api.user(), await api.user(), await api.user()
    photo = await ann.upload(photograph())
    await api.finish(photo)
    await bob.follow(ann)
    channel, sockets = f"photo:{photo['id']}", [await connected(api, user) for user in (bob, cat)]
    for socket in sockets:
        assert "subscribe" in await socket.request(subscribe={"channel": channel})
    (await ann.call("PATCH", "/users/me", json={"private": True})).expect(200)
    for socket in sockets:
        push = (await socket.until("push"))["push"]
        assert (push["channel"], push["unsubscribe"]["code"]) == (channel, 2000)
    follower, other = sockets
    assert "subscribe" in await follower.request(subscribe={"channel": channel})
    assert (await other.request(subscribe={"channel": channel}))["error"]["code"] == 103

    services = api.services
    worker = RelationHandlers(services.db, services.stores.feeds, services.stores.cards, services.stores.publisher)
    body = await services.db.fetchval("SELECT body FROM outbox WHERE topic = 'user.changed' AND queue = 'fanout'")
    await worker.handlers()["user.changed"](events.decode("user.changed", body))
    (await bob.call("POST", f"/photos/{photo['id']}/comments", json={"text": "still here"})).expect(201)
    await notify(api)
    assert await next_comment(follower) == "still here"


async def test_an_audience_ends_subscriptions_with_the_response(api: Api) -> None:
    """Clients subscribe again to a photo with another audience, and are refused if they do not belong to it."""
    ann, bob, cat = await api.user(), await api.user(), await api.user()
    photo = await ann.upload(photograph())
    await api.finish(photo)
    await bob.follow(ann)
    (await ann.call("PUT", f"/users/{bob.id}/close-friend")).expect(204)
    channel, friend, stranger = f"photo:{photo['id']}", await connected(api, bob), await connected(api, cat)

    async def subscribes(socket: Socket, *, permitted: bool) -> None:
        reply = await socket.request(subscribe={"channel": channel})
        assert ("subscribe" in reply) is permitted, reply

    async def ended(socket: Socket) -> None:
        push = (await socket.until("push"))["push"]
        assert (push["channel"], push["unsubscribe"]["code"]) == (channel, 2500)

    async def change(audience: str) -> None:
        (await ann.call("PATCH", f"/photos/{photo['id']}", json={"audience": audience})).expect(200)

    await subscribes(friend, permitted=True)
    await subscribes(stranger, permitted=True)
    await change("followers")
    await ended(stranger)
    await subscribes(stranger, permitted=False)
    await ended(friend)
    await subscribes(friend, permitted=True)
    await change("close_friends")
    await ended(friend)
    await subscribes(friend, permitted=True)
    (await ann.call("DELETE", f"/users/{bob.id}/close-friend")).expect(204)
    await ended(friend)
    await subscribes(friend, permitted=False)
    await change("followers")
    await subscribes(friend, permitted=True)
    (await bob.call("DELETE", f"/users/{ann.id}/follow")).expect(204)
    await ended(friend)
    await subscribes(friend, permitted=False)


async def test_a_deleted_account_ends_subscriptions_with_the_response(api: Api) -> None:
    """Its subscribers receive nothing from then on."""
    ann, bob = await api.user(), await api.user()
    socket = await connected(api, bob)
    assert "subscribe" in await socket.request(subscribe={"channel": f"user:{ann.id}"})
    (await ann.call("DELETE", "/users/me")).expect(202)
    hidden, ended = [(await socket.until("push"))["push"] for _ in range(2)]
    assert hidden["pub"]["data"] == {"type": "account.hidden", "user_id": ann.id}
    assert (ended["channel"], ended["unsubscribe"]["code"]) == (f"user:{ann.id}", 2000)


async def test_a_deleted_webhook_ends_subscriptions_with_the_response(api: Api) -> None:
    """Its owner's pages do not wait for further attempts."""
    ann = await api.user()
    made = (await ann.call("POST", "/webhooks", json={"url": "https://93.184.215.14/"})).expect(201)
    socket = await connected(api, ann)
    channel = f"webhook:{made['id']}"
    assert "subscribe" in await socket.request(subscribe={"channel": channel})
    (await ann.call("DELETE", f"/webhooks/{made['id']}")).expect(204)
    push = (await socket.until("push"))["push"]
    assert (push["channel"], push["unsubscribe"]["code"]) == (channel, 2000)


async def test_signing_out_closes_the_live_connection(api: Api) -> None:
    """The end of a session closes its connections, and no others."""
    ann, bob = await api.user(), await api.user()
    hers, his = await connected(api, ann), await connected(api, bob)
    (await ann.call("DELETE", "/tokens/current")).expect(204)
    assert 3500 <= await hers.closed() < 4000  # so that the client does not come back
    assert "subscribe" in await his.request(subscribe={"channel": f"user:{bob.id}"})


async def test_a_used_ticket_is_rejected(api: Api) -> None:
    """A ticket is valid for one connection, so that one from a log is useless."""
    ann = await api.user()
    ticket = (await ann.call("POST", "/live/token")).expect(201)["token"]
    first = Socket(await api.session.ws_connect(api.url + PATH))
    assert "connect" in await first.request(connect={"token": ticket})
    second = Socket(await api.session.ws_connect(api.url + PATH))
    with pytest.raises(AssertionError, match="3500"):
        await second.request(connect={"token": ticket})


async def test_the_event_stream_authenticates_its_client(api: Api) -> None:
    """A bearer token or a ticket opens the event stream; a used ticket, a token in the URL or nothing does not."""
    ann = await api.user()
    ticket = (await ann.call("POST", "/live/token")).expect(201)["token"]
    bearer = {"Authorization": f"Bearer {ann.token}"}
    for path, headers, status in (
        ("/live/sse", bearer, 200),
        ("/api/v1/live/sse", bearer, 200),
        (f"/live/sse?ticket={ticket}", {}, 200),
        (f"/live/sse?ticket={ticket}", {}, 401),
        (f"/live/sse?ticket={ann.token}", {}, 401),
        ("/live/sse", {}, 401),
        ("/live/sse", {"Authorization": "Bearer x.y.z"}, 401),
    ):
        async with api.session.get(api.url + path, headers=headers) as response:
            assert response.status == status, path
            if status == 200:
                assert response.content_type == "text/event-stream"
                assert await response.content.readline() == b"retry: 2000\n"
            else:
                assert response.content_type == "application/problem+json"


async def test_a_ticket_is_good_for_the_reconnects_of_its_event_stream(api: Api) -> None:
    """An EventSource that reconnects with the id of its last event is accepted; the URL alone is not."""
    ann = await api.user()
    ticket = (await ann.call("POST", "/live/token")).expect(201)["token"]
    url = f"{api.url}/live/sse?ticket={ticket}"
    last = ""
    for lines in (1, 2, 1, 2):  # cut before and after the first event
        async with api.session.get(url, headers={"Last-Event-ID": last} if last else {}) as response:
            assert response.status == 200
            for _ in range(lines):
                while not (line := (await response.content.readline()).decode()).startswith("id: "):
                    assert line
                last = line.removeprefix("id: ").rstrip()
    for query, headers in (
        ("", {}),
        (f"&last_event_id={last}", {}),
        ("", {"Last-Event-ID": last[:-1] + ("0" if last[-1] != "0" else "1")}),
        ("", {"Last-Event-ID": last.rpartition("-")[0]}),
    ):
        async with api.session.get(url + query, headers=headers) as response:
            assert response.status == 401, (query, headers)
    (await ann.call("DELETE", "/tokens/current")).expect(204)
    async with api.session.get(url, headers={"Last-Event-ID": last}) as response:
        assert response.status == 401


async def test_signing_out_ends_the_event_stream(api: Api) -> None:
    """The stream ends with a code, and cannot be opened again."""
    ann = await api.user()
    bearer = {"Authorization": f"Bearer {ann.token}"}
    async with api.session.get(f"{api.url}/live/sse", headers=bearer) as response:
        while not (await response.content.readline()).startswith(b"event: ready"):
            pass
        (await ann.call("DELETE", "/tokens/current")).expect(204)
        assert b'{"code":3500,"reason":"invalid token"}' in await response.content.read()
    async with api.session.get(f"{api.url}/live/sse", headers=bearer) as response:
        assert response.status == 401


async def test_calls(api: Api) -> None:
    """Likes and marks over the live connection work as in the REST API, with the same errors."""
    ann, bob = await api.user(), await api.user()
    photo = await ann.upload(photograph())
    await api.finish(photo)
    socket = await connected(api, bob)

    async def call(method: str, data: Any = None) -> dict[str, Any]:
        return await socket.request(rpc={"method": method, "data": data})

    assert (await call("like", {"photo_id": photo["id"]}))["rpc"]["data"] == {"liked": True, "likes": 1}
    assert (await bob.call("GET", f"/photos/{photo['id']}")).expect(200)["liked"] is True
    assert (await call("unlike", {"photo_id": photo["id"]}))["rpc"]["data"] == {"liked": False, "likes": 0}
    for method in ("counters", "seen", "read"):
        assert (await call(method))["rpc"]["data"] == counters_json()
    assert (await call("like", {"photo_id": "0" * 13}))["error"]["code"] == 404
    refused: list[Any] = [None, [], "x", {"photo_id": 5.5}, {"photo_id": "x"}, {"photo_id": photo["id"], "more": 1}]
    for bad in refused:
        assert (await call("like", bad))["error"]["code"] == 422, bad
    assert (await call("nonsense"))["error"]["code"] == 104


async def test_a_suspended_account_is_disconnected(api: Api) -> None:
    """Its connections and the subscriptions to its channels end with the decision, before any worker runs."""
    ann, bob, judge = await api.user(), await api.user(), await moderator(api)
    photo = await ann.upload(photograph())
    await api.finish(photo)
    own, other = await connected(api, ann), await connected(api, bob)
    for channel in (f"photo:{photo['id']}", f"user:{ann.id}"):
        assert "subscribe" in await other.request(subscribe={"channel": channel})
    await report(bob, "user", ann.id)
    await decide(judge, await case_about(judge, ann.id), "suspend")
    assert await own.closed() == 3500
    pushed = [(await other.until("push"))["push"] for _ in range(4)]
    for channel in (f"photo:{photo['id']}", f"user:{ann.id}"):
        first, _ = (push for push in pushed if push["channel"] == channel)
        assert first["pub"]["data"] == {"type": "account.hidden", "user_id": ann.id}
    ended = [push for push in pushed if "unsubscribe" in push]
    assert {push["channel"] for push in ended} == {f"photo:{photo['id']}", f"user:{ann.id}"}
    assert {push["unsubscribe"]["code"] for push in ended} == {2000}
    for channel in (f"photo:{photo['id']}", f"user:{ann.id}"):
        assert (await other.request(subscribe={"channel": channel}))["error"]["code"] == 103


@pytest.mark.parametrize("step", ["password", "others", "one"])
async def test_the_live_connections_of_an_ended_session_close(api: Api, step: str) -> None:
    """Whichever step of the user ends a session, its connections close at once, and those of this session stay."""
    ann = await api.user()
    other = ApiUser(api.session, api.url, ann.name)
    await other.sign_in()
    own, ended = await connected(api, ann), await connected(api, other)
    sessions = (await ann.call("GET", "/users/me/sessions")).expect(200)["items"]
    begun = time.monotonic()
    if step == "password":
        body = {"current_password": PASSWORD, "new_password": "staple battery horse"}
        (await ann.call("PATCH", "/users/me/password", json=body)).expect(204)
    elif step == "others":
        (await ann.call("DELETE", "/users/me/sessions?others=true")).expect(200)
    else:
        listed = next(item["id"] for item in sessions if not item["current"])
        (await ann.call("DELETE", f"/users/me/sessions/{listed}")).expect(204)
    assert await ended.closed() == 3500
    assert time.monotonic() - begun < PROMPTLY, "it is within a second where the machine has nothing else to do"
    assert "rpc" in await own.request(rpc={"method": "counters", "data": None})


async def test_a_connection_by_the_token_of_a_program_ends_with_it(api: Api) -> None:
    """It connects by the token itself, does what its scopes permit, and is closed when the token is deleted."""
    ann = await api.user()
    body = {"name": "Wall", "scopes": ["read"]}
    made = (await ann.call("POST", "/users/me/tokens", json=body)).expect(201)
    socket = Socket(await api.session.ws_connect(api.url + PATH))
    reply = await socket.request(connect={"token": made["token"]})
    assert set(reply["connect"]["subs"]) == {"feed", "notifications"}
    # Browsers count no further than 24 days.
    assert 80_000 < reply["connect"]["ttl"] <= 86_400
    assert (await socket.request(rpc={"method": "counters"}))["rpc"]["data"]["unseen"] >= 0
    refused = await socket.request(rpc={"method": "like", "data": {"photo_id": ann.id}})
    assert refused["error"]["code"] == 403
    (await ann.call("DELETE", f"/users/me/tokens/{made['id']}")).expect(204)
    assert await socket.closed() == 3500
    again = Socket(await api.session.ws_connect(api.url + PATH))
    await again.send(connect={"token": made["token"]})
    assert await again.closed() == 3500
