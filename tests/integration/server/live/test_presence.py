"""Presence over REST and live: permission to see it, and the revocation of that permission."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from channels.contract.settings import LiveSettings
from storage import events, ids
from storage.redis.client import Redis
from storage.stores.social import follows
from tests.support.api import Api, InspectableServices
from tests.support.api_user import ApiUser
from tests.support.eventually import PROMPTLY, eventually
from tests.support.live_api import Socket, connected, running_live_api
from workers.jobs.feeds.relations import RelationHandlers

pytestmark = pytest.mark.engines

MAY, MAY_NOT = None, 103


@pytest.fixture
async def api(services: InspectableServices, redis: Redis) -> AsyncIterator[Api]:
    """A running API with live connections and without a grace period for presence."""
    settings = LiveSettings(presence_grace=0, presence_interval=0.05, drain_seconds=0.1)
    async with running_live_api(services, redis, settings) as running:
        yield running


async def profile(viewer: ApiUser, other: ApiUser) -> tuple[bool | None, str | None]:
    """Return the presence that a profile shows to a viewer; None where the viewer may not see the profile."""
    response = await viewer.call("GET", f"/users/{other.id}")
    shown = response.json if response.status == 200 else {"online": None, "last_seen": None}
    return shown["online"], shown["last_seen"]


async def code(socket: Socket, method: str, channel: str) -> int | None:
    """Return the error code of a command, or None."""
    error: dict[str, Any] = (await socket.request(**{method: {"channel": channel}})).get("error", {})
    return error.get("code")


async def ending(socket: Socket) -> str:
    """Return the channel of the next subscription that is revoked."""
    while "unsubscribe" not in (push := (await socket.until("push"))["push"]):
        pass
    assert push["unsubscribe"]["code"] == 2000
    channel: str = push["channel"]
    return channel


async def handle_events(api: Api) -> None:
    """Handle the waiting events as the fan-out worker does."""
    services = api.services
    handlers = RelationHandlers(
        services.db, services.stores.feeds, services.stores.cards, services.stores.publisher
    ).handlers()
    rows = await services.db.fetch("SELECT topic, body FROM outbox WHERE queue = 'fanout' ORDER BY id")
    await services.db.fetch("DELETE FROM outbox RETURNING id")
    for row in rows:
        if row["topic"] in handlers:
            await handlers[row["topic"]](events.decode(row["topic"], row["body"]))


async def act(user: ApiUser, method: str, path: str, **options: Any) -> None:
    """Send a request that must succeed."""
    response = await user.call(method, path, **options)
    assert response.status < 300, response.body


async def test_permission_to_see_presence(api: Api) -> None:
    """The user, and if allowed the followers, see presence by profile, subscription and command."""
    ann = await api.user("ann")
    names = ("follower", "muted", "muting", "stranger", "blocked", "blocking", "asking")
    viewers = {name: await api.user(name) for name in names}
    for name in ("follower", "muted", "muting", "blocked", "blocking"):
        await viewers[name].follow(ann)
    await act(ann, "PUT", f"/users/{viewers['muted'].id}/mute")
    await act(viewers["muting"], "PUT", f"/users/{ann.id}/mute")
    await act(ann, "PUT", f"/users/{viewers['blocked'].id}/block")
    await act(viewers["blocking"], "PUT", f"/users/{ann.id}/block")
    await act(ann, "PATCH", "/users/me", json={"private": True})
    await viewers["asking"].follow(ann)
    viewers["ann"] = ann
    sockets = {name: await connected(api, user) for name, user in viewers.items()}
    for setting, allowed in (("followers", {"ann", "follower", "muted", "muting"}), ("nobody", {"ann"})):
        await act(ann, "PATCH", "/users/me", json={"presence": setting})
        for name, viewer in viewers.items():
            expected = MAY if name in allowed else MAY_NOT
            assert await code(sockets[name], "subscribe", f"presence:{ann.id}") == expected, (setting, name)
            assert await code(sockets[name], "presence", f"presence:{ann.id}") == expected, (setting, name)
            assert await code(sockets[name], "presence_stats", f"presence:{ann.id}") == expected, (setting, name)
            assert await profile(viewer, ann) == ((True, None) if expected is MAY else (None, None)), (setting, name)
            await sockets[name].request(unsubscribe={"channel": f"presence:{ann.id}"})
        assert await profile(api.visitor, ann) == (None, None)


async def test_invalid_presence_channels(api: Api) -> None:
    """The presence of an unknown user is forbidden, a malformed id is unknown, and other channels have no presence."""
    ann = await api.user()
    socket = await connected(api, ann)
    for channel, subscribing, asking in (
        ("presence:0000000000001", 103, 103),
        ("presence:", 102, 102),
        ("presence:ann", 102, 102),
        (f"presence:{ann.id}:", 102, 102),
        (f"user:{ann.id}", None, 108),
        ("feed", 105, 108),
    ):
        assert await code(socket, "subscribe", channel) == subscribing, channel
        assert await code(socket, "presence", channel) == asking, channel


async def test_connecting_and_disconnecting(api: Api) -> None:
    """A follower sees a user go online and offline, live and in the profile, each time with the same values."""
    ann, bob = await api.user("ann"), await api.user("bob")
    await bob.follow(ann)
    assert await profile(bob, ann) == (False, None)
    his = await connected(api, bob)
    channel = f"presence:{ann.id}"
    assert (await his.request(subscribe={"channel": channel}))["subscribe"] == {"data": {"online": False}}
    assert (await his.request(presence={"channel": channel}))["presence"] == {"presence": {}}
    before = time.time()
    hers = await connected(api, ann)
    news = (await his.until("push"))["push"]
    assert news == {"channel": channel, "pub": {"data": {"type": "presence", "user_id": ann.id, "online": True}}}
    assert await profile(bob, ann) == (True, None)
    info = {"user": ann.id, "client": ann.id}
    assert (await his.request(presence={"channel": channel}))["presence"] == {"presence": {ann.id: info}}
    counted = await his.request(presence_stats={"channel": channel})
    assert counted["presence_stats"] == {"num_clients": 1, "num_users": 1}
    await hers.close()
    gone = (await his.until("push"))["push"]["pub"]["data"]
    assert (gone["type"], gone["online"]) == ("presence", False)
    assert before - 0.001 <= datetime.fromisoformat(gone["last_seen"]).timestamp() <= time.time()
    assert await profile(bob, ann) == (False, gone["last_seen"])
    again = await his.request(presence_stats={"channel": channel})
    assert again["presence_stats"] == {"num_clients": 0, "num_users": 0}


@pytest.mark.parametrize(
    ("action", "every_subscription"),
    [
        (("bob", "DELETE", "/users/{ann}/follow", None), False),
        (("ann", "PATCH", "/users/me", {"presence": "nobody"}), False),
        (("bob", "PUT", "/users/{ann}/block", None), True),
        (("ann", "PUT", "/users/{bob}/block", None), True),
        (("ann", "DELETE", "/users/me", None), True),
    ],
    ids=["unfollow", "hide", "block", "be-blocked", "delete"],
)
async def test_a_subscription_is_revoked_with_the_permission(
    api: Api, action: tuple[str, str, str, object], every_subscription: bool
) -> None:
    """Losing the permission revokes the subscription at once, and no subscription that is still permitted."""
    ann, bob = await api.user("ann"), await api.user("bob")
    await bob.follow(ann)
    await handle_events(api)
    hers, his = await connected(api, ann), await connected(api, bob)
    channel = f"presence:{ann.id}"
    for socket in (hers, his):
        for name in (f"user:{ann.id}", channel):
            assert await code(socket, "subscribe", name) is None
    who, method, path, body = action
    await act({"ann": ann, "bob": bob}[who], method, path.format(ann=ann.id, bob=bob.id), json=body)
    async with asyncio.timeout(PROMPTLY):
        await handle_events(api)
        ended = {await ending(his) for _ in range(1 + every_subscription)}
    assert ended == ({channel, f"user:{ann.id}"} if every_subscription else {channel})
    assert await code(his, "subscribe", channel) == 103
    assert await code(his, "subscribe", f"user:{ann.id}") == (103 if every_subscription else 105)
    if method != "DELETE" or who == "bob":
        assert await code(hers, "subscribe", channel) == 105  # the user's own goes on


async def test_a_follower_keeps_the_subscription(api: Api) -> None:
    """An unfollow that was undone before its event is handled revokes nothing."""
    ann, bob = await api.user(), await api.user()
    await bob.follow(ann)
    his = await connected(api, bob)
    assert await code(his, "subscribe", f"presence:{ann.id}") is None
    async with api.services.db.transaction() as tx:
        await follows.unfollow(tx, ids.decode(bob.id), ids.decode(ann.id))
    await bob.follow(ann)
    await handle_events(api)
    await connected(api, ann)
    assert (await his.until("push"))["push"]["pub"]["data"]["online"] is True


async def test_the_presence_setting(api: Api) -> None:
    """The account has the audience of its presence: followers by default, or nobody; other values are refused."""
    ann = await api.user()
    assert (await ann.call("GET", "/users/me")).expect(200)["presence"] == "followers"
    changed = (await ann.call("PATCH", "/users/me", json={"presence": "nobody"})).expect(200)
    assert changed["presence"] == "nobody"
    kept = (await ann.call("PATCH", "/users/me", json={"bio": "hello", "settings": {"a": 1}})).expect(200)
    assert kept["presence"] == "nobody"
    refused = (await ann.call("PATCH", "/users/me", json={"presence": "everybody"})).expect(422)
    assert refused["errors"][0]["field"] == "presence"
    assert "presence" not in (await api.visitor.call("GET", f"/users/{ann.id}")).expect(200)


async def test_a_user_goes_offline_with_the_last_connection(api: Api) -> None:
    """A user with two connections stays online when one of them is closed."""
    ann = await api.user()
    first, second = await connected(api, ann), await connected(api, ann)
    await first.close()
    (await ann.call("GET", "/users/me")).expect(200)
    assert await profile(ann, ann) == (True, None)
    await second.close()

    async def gone() -> bool:
        return (await profile(ann, ann))[0] is False

    await eventually(gone)
