"""Live connections of users who follow stars, on real stores."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from storage import events, ids
from storage.redis.client import Redis
from tests.support.api import Api, InspectableServices
from tests.support.api_user import ApiUser
from tests.support.live_api import PATH, Socket, connected, running_live_api
from tests.support.pictures import photograph
from workers.jobs.feeds.fanout import FanoutHandlers
from workers.jobs.feeds.stars import Stars

pytestmark = pytest.mark.engines


@pytest.fixture
async def api(services: InspectableServices, redis: Redis) -> AsyncIterator[Api]:
    """A running API with live connections."""
    async with running_live_api(services, redis) as running:
        yield running


async def post(api: Api, author: ApiUser) -> str:
    """Post a photo, and do what the workers do; one follower makes a star."""
    photo = await author.upload(photograph())
    await api.finish(photo)
    services = api.services
    stores = services.stores
    stars = Stars(services.db, stores.feeds, followers=1)
    fanout = FanoutHandlers(
        services.db, stores.feeds, stores.cards, services.counter_cache, stores.publisher, stars=stars
    )
    handlers = {**fanout.handlers(), **stars.handlers()}
    while rows := await services.db.fetch(
        "DELETE FROM outbox WHERE topic IN ('photo.ready', 'star.chunk') RETURNING topic, body"
    ):
        for row in rows:
            await handlers[row["topic"]](events.decode(row["topic"], row["body"]))
    photo_id: str = photo["id"]
    return photo_id


async def next_photo(socket: Socket) -> str:
    """Return the next photo that a client receives."""
    while True:
        push = (await socket.until("push"))["push"]
        if push["channel"].startswith("feed") and push["pub"]["data"]["type"] == "photo.new":
            photo_id: str = push["pub"]["data"]["photo"]["id"]
            return photo_id


async def test_announcements_reach_connected_followers(api: Api) -> None:
    """Those who were connected at the promotion receive them, those who connect or follow later, and no former one."""
    ann, bob, cat, dan = [await api.user() for _ in range(4)]
    for follower in (bob, cat):
        (await follower.call("PUT", f"/users/{ann.id}/follow")).expect(204)
    bobs = await connected(api, bob)
    pushed, announced = await post(api, ann), await post(api, ann)
    assert [await next_photo(bobs) for _ in range(2)] == [pushed, announced]
    cats, dans = await connected(api, cat), await connected(api, dan)
    (await dan.call("PUT", f"/users/{ann.id}/follow")).expect(204)
    second = await post(api, ann)
    assert [await next_photo(socket) for socket in (bobs, cats, dans)] == [second] * 3
    (await bob.call("DELETE", f"/users/{ann.id}/follow")).expect(204)
    (await cat.call("PUT", f"/users/{ann.id}/mute")).expect(204)
    await post(api, ann)
    own = [await post(api, user) for user in (bob, cat)]
    assert [await next_photo(socket) for socket in (bobs, cats)] == own
    feeds = [(await user.call("GET", "/feed")).expect(200)["items"] for user in (bob, cat)]
    assert [[photo["id"] for photo in feed] for feed in feeds] == [[own[0]], [own[1]]]


async def test_announcements_are_recovered(api: Api) -> None:
    """A client that was away gets what a star announced meanwhile, from its position and in its feed."""
    ann, bob = await api.user(), await api.user()
    (await bob.call("PUT", f"/users/{ann.id}/follow")).expect(204)
    first = await post(api, ann)
    position = (await bob.call("GET", "/feed")).expect(200)["stream"]
    missed = [await post(api, ann) for _ in range(3)]
    stored = await api.services.stores.feeds.followed_stars.of(ids.decode(bob.id))
    assert stored == (ids.decode(ann.id),)
    ticket = (await bob.call("POST", "/live/token")).expect(201)["token"]
    socket = Socket(await api.session.ws_connect(api.url + PATH))
    reply = await socket.request(connect={"token": ticket, "subs": {"feed": {"recover": True, **position}}})
    feed = reply["connect"]["subs"]["feed"]
    assert [item["data"]["photo"]["id"] for item in feed["publications"]] == missed
    shown = (await bob.call("GET", "/feed")).expect(200)["items"]
    assert [photo["id"] for photo in shown] == [*reversed(missed), first]
    later = await post(api, ann)
    assert await next_photo(socket) == later
