"""`/push`: browsers subscribe and are refused, and an endpoint belongs to one session of one account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.composition.actions import session_revoker
from server.edge.push_responses import PushKeyResponse, PushSubscriptionResponse
from storage import ids
from storage.events import SessionEnded
from storage.push import PushSubscription
from storage.stores.credentials import sessions
from storage.stores.notifications import push_subscriptions
from tests.support.api import Api, InspectableServices, running_api, with_push
from tests.support.api_user import ApiUser, Response
from tests.support.push import Browser
from workers.jobs.live.sessions import EndedSessions
from workers.web_push.base64url import encode
from workers.web_push.vapid import VapidKey

pytestmark = pytest.mark.engines

KEY = VapidKey.generate()
SERVICE = "https://fcm.googleapis.com/fcm/send/"


@pytest.fixture
async def api(services: InspectableServices) -> AsyncIterator[Api]:
    """An installation with a key."""
    async with running_api(with_push(services, vapid_key=KEY.text)) as running:
        yield running


async def subscribe(user: ApiUser, browser: Browser, **fields: Any) -> Response:
    """Subscribe a browser of the user."""
    return await user.call("POST", "/push/subscriptions", json=browser.json(**fields))


async def stored(api: Api, user: ApiUser) -> list[PushSubscription]:
    """Return the subscriptions that get messages."""
    return await push_subscriptions.of_user(api.services.db, ids.decode(user.id))


async def rows(api: Api) -> int:
    """Return the number of all rows."""
    found: int = await api.services.db.fetchval("SELECT count(*) FROM push_subscriptions")
    return found


async def test_a_browser_subscribes_and_unsubscribes(api: Api) -> None:
    """With the key of the installation; repeating it changes nothing, and nothing secret is returned."""
    assert (await api.visitor.call("GET", "/push/key")).expect(200) == {"key": KEY.public}
    ada, browser = await api.user(), Browser(f"{SERVICE}1")
    made = (await subscribe(ada, browser, expirationTime=None)).expect(201)
    PushSubscriptionResponse.model_validate(made)
    assert (made["service"], made["hide_content"]) == ("fcm.googleapis.com", False)
    (found,) = await stored(api, ada)
    assert (found.endpoint, found.p256dh, found.auth) == (browser.endpoint, browser.p256dh, browser.auth)
    assert (await subscribe(ada, browser)).expect(201) == made
    (await api.visitor.call("POST", "/push/subscriptions", json=browser.json())).expect(401)
    bob = await api.user()
    (await bob.call("DELETE", f"/push/subscriptions/{made['id']}")).expect(404)
    (await ada.call("DELETE", f"/push/subscriptions/{made['id']}")).expect(204)
    gone = (await ada.call("DELETE", f"/push/subscriptions/{made['id']}")).expect(404)
    assert gone["code"] == "subscription_not_found"
    assert await stored(api, ada) == []


async def test_without_a_key_there_are_no_messages(services: InspectableServices) -> None:
    """The page shows no switch then."""
    async with running_api(services) as api:
        found = (await api.visitor.call("GET", "/push/key")).expect(200)
        assert PushKeyResponse.model_validate(found).key is None
        refused = (await subscribe(await api.user(), Browser(f"{SERVICE}1"))).expect(409)
        assert refused["code"] == "push_off"


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("endpoint", {"endpoint": "http://fcm.googleapis.com/fcm/send/1"}),
        ("endpoint", {"endpoint": "https://example.com/push"}),
        ("endpoint", {"endpoint": "https://fcm.googleapis.com.example.com/push"}),
        ("endpoint", {"endpoint": "https://fcm.googleapis.com@127.0.0.1/"}),
        ("endpoint", {"endpoint": "https://127.0.0.1/push"}),
        ("endpoint", {"endpoint": "https://xn--a/push"}),  # a name that cannot be decoded
        ("endpoint", {"endpoint": "https://169.254.169.254/latest"}),
        ("endpoint", {"endpoint": "https://fcm.googleapis.com:22/"}),
        ("endpoint", {"endpoint": f"{SERVICE}{'x' * 2048}"}),
        ("endpoint", {"endpoint": ""}),
        ("keys.p256dh", {"p256dh": encode(b"\x04" + bytes(64))}),
        ("keys.p256dh", {"p256dh": encode(bytes(64))}),
        ("keys.p256dh", {"p256dh": "/+==" * 22}),
        ("keys.auth", {"auth": encode(bytes(15))}),
        ("keys.auth", {"auth": ""}),
        ("keys", {"keys": None}),
        ("topic", {"topic": "unknown"}),
    ],
)
async def test_what_no_browser_has_is_refused(api: Api, field: str, change: dict[str, Any]) -> None:
    """With the name of the field; nothing is stored."""
    body = Browser(f"{SERVICE}1").json()
    for name, value in change.items():
        (body["keys"] if name in body["keys"] else body)[name] = value
    refused = (await (await api.user()).call("POST", "/push/subscriptions", json=body)).expect(422)
    assert [error["field"] for error in refused["errors"]] == [field]
    assert await rows(api) == 0


async def test_an_endpoint_belongs_to_the_account_that_has_subscribed_last(api: Api) -> None:
    """In the same shard and in another one: the former account gets no messages on the device any more."""
    browser = Browser(f"{SERVICE}1")
    users = [await api.user() for _ in range(3)]
    assert ids.shard_of(ids.decode(users[0].id)) == ids.shard_of(ids.decode(users[1].id))
    for user in [*users, users[0]]:
        (await subscribe(user, browser)).expect(201)
        assert [len(await stored(api, each)) for each in users] == [int(each is user) for each in users]
    assert await rows(api) == 1


async def test_a_session_has_one_subscription(api: Api) -> None:
    """Another endpoint of the browser replaces the former one, and keeps whether names are hidden."""
    ada = await api.user()
    (await subscribe(ada, Browser(f"{SERVICE}1"), hide_content=True)).expect(201)
    moved = (await subscribe(ada, Browser(f"{SERVICE}2"))).expect(201)
    assert moved["hide_content"]
    assert [each.endpoint for each in await stored(api, ada)] == [f"{SERVICE}2"]
    shown = (await subscribe(ada, Browser(f"{SERVICE}2"), hide_content=False)).expect(201)
    assert (shown["id"], shown["hide_content"]) == (moved["id"], False)
    await ada.sign_in()
    (await subscribe(ada, Browser(f"{SERVICE}3"))).expect(201)
    assert [each.endpoint for each in await stored(api, ada)] == [f"{SERVICE}2", f"{SERVICE}3"]


async def test_a_subscription_ends_with_its_session(api: Api) -> None:
    """At once, whatever the worker does; its row is deleted with the event, and that of another session stays."""
    ada = await api.user()
    (await subscribe(ada, Browser(f"{SERVICE}1"))).expect(201)
    await ada.sign_in()
    (await subscribe(ada, Browser(f"{SERVICE}2"))).expect(201)
    (await ada.call("DELETE", "/tokens/current")).expect(204)
    assert [each.endpoint for each in await stored(api, ada)] == [f"{SERVICE}1"]
    assert await rows(api) == 2
    (ended,) = await sessions.ended_within(api.services.db, 60)
    worker = EndedSessions(api.services.db, session_revoker(api.services.stores, 900))
    await worker.ended(SessionEnded(session_id=ended.session_id, user_id=ended.user_id))
    assert await rows(api) == 1
    (await ada.call("GET", "/users/me")).expect(401)
    (await subscribe(ada, Browser(f"{SERVICE}3"))).expect(401)


async def test_deleted_accounts_and_sessions_take_their_subscriptions_along(api: Api) -> None:
    """An account that is deleted has no session; a session whose row is removed leaves no subscription."""
    ada = await api.user()
    (await subscribe(ada, Browser(f"{SERVICE}1"))).expect(201)
    (await ada.call("DELETE", "/users/me", json={"password": "correct horse battery"})).expect(202)
    assert await stored(api, ada) == []
    await api.services.db.fetch("DELETE FROM sessions WHERE user_id = $1", ids.decode(ada.id))
    assert await rows(api) == 0


async def test_the_device_that_has_been_silent_for_longest_gives_way(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to find out which one of the browsers is gone."""
    monkeypatch.setattr(push_subscriptions, "MAX", 3)
    ada = await api.user()
    for number in range(3):
        await ada.sign_in()
        (await subscribe(ada, Browser(f"{SERVICE}{number}"))).expect(201)
    user_id, found = ids.decode(ada.id), await stored(api, ada)
    async with api.services.db.transaction() as tx:
        await push_subscriptions.record(tx, user_id, sent=[found[0].id])
    await ada.sign_in()
    (await subscribe(ada, Browser(f"{SERVICE}3"))).expect(201)
    assert [each.endpoint for each in await stored(api, ada)] == [f"{SERVICE}{number}" for number in (0, 2, 3)]
