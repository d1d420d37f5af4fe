"""Whether somebody is online: who may know, over REST and live, and how that ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from channels.contract.settings import LiveSettings
from storage import events
from storage.redis.client import Redis
from tests.support.api import Api, InspectableServices
from tests.support.eventually import eventually
from tests.support.live_api import Socket, connected, running_live_api
from tests.support.person import Person
from workers.jobs.relations import RelationHandlers

pytestmark = pytest.mark.engines

MAY, MAY_NOT = None, 103


@pytest.fixture
async def api(services: InspectableServices, redis: Redis) -> AsyncIterator[Api]:
    """A running API that holds live connections, too, and lets nobody linger."""
    settings = LiveSettings(presence_grace=0, presence_interval=0.05, drain_seconds=0.1)
    async with running_live_api(services, redis, settings) as running:
        yield running


async def profile(viewer: Person, other: Person) -> tuple[bool | None, str | None]:
    """Return what a profile tells a viewer of presence; nothing where there is no profile for them."""
    answer = await viewer.call("GET", f"/users/{other.id}")
    told = answer.json if answer.status == 200 else {"online": None, "last_seen": None}
    return told["online"], told["last_seen"]


async def code(socket: Socket, method: str, channel: str) -> int | None:
    """Return the error code of a command, None where there is none."""
    error: dict[str, Any] = (await socket.ask(**{method: {"channel": channel}})).get("error", {})
    return error.get("code")


async def ending(socket: Socket) -> str:
    """Return the channel of the next subscription that is ended for good."""
    while "unsubscribe" not in (push := (await socket.until("push"))["push"]):
        pass
    assert push["unsubscribe"]["code"] == 2000
    channel: str = push["channel"]
    return channel


async def handle_events(api: Api) -> None:
    """Do what the fan-out worker does with the events that wait."""
    services = api.services
    handlers = RelationHandlers(
        services.db, services.stores.feeds, services.stores.cards, services.stores.publisher
    ).handlers()
    rows = await services.db.fetch("SELECT topic, body FROM outbox WHERE queue = 'fanout' ORDER BY id")
    await services.db.fetch("DELETE FROM outbox RETURNING id")
    for row in rows:
        if row["topic"] in handlers:
            await handlers[row["topic"]](events.decode(row["topic"], row["body"]))


async def act(person: Person, method: str, path: str, **options: Any) -> None:
    """Do something over the API that is answered with success."""
    answer = await person.call(method, path, **options)
    assert answer.status < 300, answer.body


async def test_who_may_know(api: Api) -> None:
    """The person, and followers whom nobody blocks, if the person allows it; by profile, subscription and command."""
    ann = await api.person("ann")
    names = ("follower", "muted", "muting", "stranger", "blocked", "blocking", "asking")
    viewers = {name: await api.person(name) for name in names}
    for name in ("follower", "muted", "muting", "blocked", "blocking"):
        await viewers[name].follow(ann)
    await act(ann, "PUT", f"/users/{viewers['muted'].id}/mute")
    await act(viewers["muting"], "PUT", f"/users/{ann.id}/mute")
    await act(ann, "PUT", f"/users/{viewers['blocked'].id}/block")
    await act(viewers["blocking"], "PUT", f"/users/{ann.id}/block")
    await act(ann, "PATCH", "/users/me", json={"private": True})
    await viewers["asking"].follow(ann)
    viewers["ann"] = ann
    sockets = {name: await connected(api, person) for name, person in viewers.items()}
    for setting, allowed in (("followers", {"ann", "follower", "muted", "muting"}), ("nobody", {"ann"})):
        await act(ann, "PATCH", "/users/me", json={"presence": setting})
        for name, viewer in viewers.items():
            expected = MAY if name in allowed else MAY_NOT
            assert await code(sockets[name], "subscribe", f"presence:{ann.id}") == expected, (setting, name)
            assert await code(sockets[name], "presence", f"presence:{ann.id}") == expected, (setting, name)
            assert await code(sockets[name], "presence_stats", f"presence:{ann.id}") == expected, (setting, name)
            assert await profile(viewer, ann) == ((True, None) if expected is MAY else (None, None)), (setting, name)
            await sockets[name].ask(unsubscribe={"channel": f"presence:{ann.id}"})
        assert await profile(api.visitor, ann) == (None, None)


async def test_names_that_are_none(api: Api) -> None:
    """A presence of nobody is forbidden, one of no id unknown, and other channels tell no presence."""
    ann = await api.person()
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


async def test_coming_and_going(api: Api) -> None:
    """A follower sees somebody come and go, live and in the profile, each time by the same figures."""
    ann, bob = await api.person("ann"), await api.person("bob")
    await bob.follow(ann)
    assert await profile(bob, ann) == (False, None)
    his = await connected(api, bob)
    channel = f"presence:{ann.id}"
    assert (await his.ask(subscribe={"channel": channel}))["subscribe"] == {"data": {"online": False}}
    assert (await his.ask(presence={"channel": channel}))["presence"] == {"presence": {}}
    before = time.time()
    hers = await connected(api, ann)
    news = (await his.until("push"))["push"]
    assert news == {"channel": channel, "pub": {"data": {"type": "presence", "user_id": ann.id, "online": True}}}
    assert await profile(bob, ann) == (True, None)
    info = {"user": ann.id, "client": ann.id}
    assert (await his.ask(presence={"channel": channel}))["presence"] == {"presence": {ann.id: info}}
    counted = await his.ask(presence_stats={"channel": channel})
    assert counted["presence_stats"] == {"num_clients": 1, "num_users": 1}
    await hers.close()
    gone = (await his.until("push"))["push"]["pub"]["data"]
    assert (gone["type"], gone["online"]) == ("presence", False)
    assert before - 0.001 <= datetime.fromisoformat(gone["last_seen"]).timestamp() <= time.time()
    assert await profile(bob, ann) == (False, gone["last_seen"])
    again = await his.ask(presence_stats={"channel": channel})
    assert again["presence_stats"] == {"num_clients": 0, "num_users": 0}


@pytest.mark.parametrize(
    ("deed", "all_of_hers"),
    [
        (("bob", "DELETE", "/users/{ann}/follow", None), False),
        (("ann", "PATCH", "/users/me", {"presence": "nobody"}), False),
        (("bob", "PUT", "/users/{ann}/block", None), True),
        (("ann", "PUT", "/users/{bob}/block", None), True),
        (("ann", "DELETE", "/users/me", None), True),
    ],
    ids=["unfollow", "hide", "block", "be-blocked", "delete"],
)
async def test_what_ends_a_subscription(api: Api, deed: tuple[str, str, str, object], all_of_hers: bool) -> None:
    """What takes the right to know away ends the subscription within a second, and no other that is still theirs."""
    ann, bob = await api.person("ann"), await api.person("bob")
    await bob.follow(ann)
    await handle_events(api)
    hers, his = await connected(api, ann), await connected(api, bob)
    channel = f"presence:{ann.id}"
    for socket in (hers, his):
        for name in (f"user:{ann.id}", channel):
            assert await code(socket, "subscribe", name) is None
    who, method, path, body = deed
    await act({"ann": ann, "bob": bob}[who], method, path.format(ann=ann.id, bob=bob.id), json=body)
    async with asyncio.timeout(1):
        await handle_events(api)
        ended = {await ending(his) for _ in range(1 + all_of_hers)}
    assert ended == ({channel, f"user:{ann.id}"} if all_of_hers else {channel})
    assert await code(his, "subscribe", channel) == 103
    assert await code(his, "subscribe", f"user:{ann.id}") == (103 if all_of_hers else 105)
    if method != "DELETE" or who == "bob":
        assert await code(hers, "subscribe", channel) == 105  # the person's own goes on


async def test_a_follower_who_stays_goes_on_hearing(api: Api) -> None:
    """An unfollow that was taken back before it was handled ends nothing."""
    ann, bob = await api.person(), await api.person()
    await bob.follow(ann)
    his = await connected(api, bob)
    assert await code(his, "subscribe", f"presence:{ann.id}") is None
    await act(bob, "DELETE", f"/users/{ann.id}/follow")
    await bob.follow(ann)
    await handle_events(api)
    await connected(api, ann)
    assert (await his.until("push"))["push"]["pub"]["data"]["online"] is True


async def test_the_setting(api: Api) -> None:
    """One's own account tells whom one lets know: followers, until one says nobody; other words are refused."""
    ann = await api.person()
    assert (await ann.call("GET", "/users/me")).expect(200)["presence"] == "followers"
    changed = (await ann.call("PATCH", "/users/me", json={"presence": "nobody"})).expect(200)
    assert changed["presence"] == "nobody"
    kept = (await ann.call("PATCH", "/users/me", json={"bio": "hello", "settings": {"a": 1}})).expect(200)
    assert kept["presence"] == "nobody"
    refused = (await ann.call("PATCH", "/users/me", json={"presence": "everybody"})).expect(422)
    assert refused["errors"][0]["field"] == "presence"
    assert "presence" not in (await api.visitor.call("GET", f"/users/{ann.id}")).expect(200)


async def test_a_person_leaves_with_the_last_connection(api: Api) -> None:
    """Two connections are one person: who closes one of them stays online."""
    ann = await api.person()
    first, second = await connected(api, ann), await connected(api, ann)
    await first.close()
    (await ann.call("GET", "/users/me")).expect(200)
    assert await profile(ann, ann) == (True, None)
    await second.close()

    async def gone() -> bool:
        return (await profile(ann, ann))[0] is False

    await eventually(gone)
