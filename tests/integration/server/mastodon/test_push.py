"""`/api/v1/push/subscription`: Mastodon.py subscribes and reads what the worker sends; who may do what."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from mastodon import Mastodon
from mastodon.errors import MastodonNotFoundError

from storage.notifications import NotificationKind
from storage.push import PushSubscription
from storage.stores.notifications import notifications, push_subscriptions
from tests.support.api import SECRET, Api, InspectableServices, running_api, with_outbound, with_push
from tests.support.apps import AppUser, register_app
from tests.support.community import record_notification
from tests.support.mastodon_clients import blocking
from tests.support.push import HOST, Browser, PushService, push_settings, running_push_service
from workers.jobs.deliveries.pushes import PushDelivery, PushReport
from workers.outbound.circuits import CircuitRegistry
from workers.outbound.client import OutboundClient
from workers.web_push.notices import notice_of
from workers.web_push.port import NoPushMetrics
from workers.web_push.sender import PushSender
from workers.web_push.token_cipher import TokenCipher
from workers.web_push.vapid import VapidKey, VapidTokens

pytestmark = pytest.mark.engines

KEY = VapidKey.generate()
CIPHER = TokenCipher(SECRET)  # that of the installation
PATH = "/v1/push/subscription"
ENDPOINT = "https://fcm.googleapis.com/fcm/send/1"


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    """A push service."""
    async with running_push_service() as running:
        yield running


@pytest.fixture
async def api(services: InspectableServices, service: PushService) -> AsyncIterator[Api]:
    """An installation with a key of push messages, and the push service among those that are allowed."""
    pushing = with_push(services, vapid_key=KEY.text, hosts=(HOST, "fcm.googleapis.com"))
    allowed = {"allow_http": True, "ports": (443, service.server.port), "allowed_networks": ("127.0.0.1/32",)}
    async with running_api(with_outbound(pushing, **allowed)) as running:
        yield running


class Reader(Browser):
    """An app that keeps messages as they arrive."""

    def __init__(self, endpoint: str, bodies: list[tuple[bytes, Any]]) -> None:
        super().__init__(endpoint)
        self._bodies = bodies

    def decrypt(self, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
        """Keep a message."""
        self._bodies.append((body, headers))
        return b""


def form(browser: Browser, *alerts: str, **fields: Any) -> dict[str, Any]:
    """Return the body with which an app subscribes."""
    return {"subscription": {**browser.json(), **fields}, "data": {"alerts": dict.fromkeys(alerts, True)}}


async def stored(api: Api, user: AppUser) -> list[PushSubscription]:
    """Return the subscriptions of a user."""
    return await push_subscriptions.of_user(api.services.db, int(user.id))


async def push(
    api: Api, user: AppUser, actor: AppUser, kind: NotificationKind, *, cipher: TokenCipher = CIPHER
) -> PushReport:
    """Record a notification, and send it as the worker does."""
    db, user_id = api.services.db, int(user.id)
    async with db.transaction() as tx:
        await record_notification(
            tx, recipient_id=user_id, kind=kind, actor_id=int(actor.id), photo_id=None, source_id=user_id
        )
    entry = (await notifications.inbox(db, user_id, before=None, limit=1))[0]
    settings = push_settings(KEY, token_cipher=cipher)
    async with OutboundClient(settings.policy, name="push") as client:
        tokens = VapidTokens(settings.key, contact=settings.contact)
        sender = PushSender(client, tokens, hosts=settings.hosts, circuits=CircuitRegistry(), metrics=NoPushMetrics())
        delivery = PushDelivery(db, sender, public_url=settings.public_url, token_cipher=settings.token_cipher)
        return await delivery.deliver(user_id, notice_of(entry))


async def test_mastodon_py_reads_what_is_sent(api: Api, users: tuple[AppUser, AppUser], service: PushService) -> None:
    """From the key that the installation announces to the message, which has the token of the app."""
    ann, ben = users
    client = Mastodon(access_token=ann.token, api_base_url=api.url)
    private, public = client.push_subscription_generate_keys()
    bodies: list[tuple[bytes, Any]] = []
    service.browsers["app"] = browser = Reader(f"{service.origin}/push/app", bodies)
    made = await blocking(
        client.push_subscription_set, browser.endpoint, public, follow_events=True, mention_events=False
    )
    assert (await blocking(client.instance_v2)).configuration.vapid.public_key == made.server_key == KEY.public
    assert (made.endpoint, made.alerts.follow, made.alerts.mention) == (browser.endpoint, True, False)
    assert (await blocking(client.push_subscription)).id == made.id
    assert await push(api, ann, ben, NotificationKind.FOLLOW) == PushReport(sent=1)
    ((body, headers),) = bodies
    found = await blocking(
        client.push_subscription_decrypt_push, body, private, headers["Encryption"], headers["Crypto-Key"]
    )
    assert (found.access_token, found.notification_type) == (ann.token, "follow")
    (listed,) = await blocking(client.notifications)
    assert str(found.notification_id) == str(listed.id)
    await blocking(client.push_subscription_update, favourite_events=True, policy="none")
    assert not (await blocking(client.push_subscription)).alerts.follow
    await blocking(client.push_subscription_delete)
    with pytest.raises(MastodonNotFoundError):
        await blocking(client.push_subscription)
    assert await stored(api, ann) == []


async def test_an_app_gets_what_it_asks_for(api: Api, users: tuple[AppUser, AppUser], service: PushService) -> None:
    """By the kind and by its policy; its subscription stays that of a user whose secret has changed."""
    ann, ben = users
    browser = service.browser()
    assert (await ann.call("POST", PATH, json=form(browser, "follow", standard=True))).expect(200)["standard"]
    assert await push(api, ann, ben, NotificationKind.FOLLOW_REQUEST) == PushReport()
    assert (await push(api, ann, ben, NotificationKind.FOLLOW)).sent == 1
    assert service.messages[0].document["access_token"] == ann.token
    for policy, sent in (("follower", 0), ("followed", 0), ("all", 1)):
        body = {"data": {"alerts": {"follow": "true"}, "policy": policy}}
        assert (await ann.call("PUT", PATH, json=body)).expect(200)["policy"] == policy
        assert (await push(api, ann, ben, NotificationKind.FOLLOW)).sent == sent, policy
    await ann.call("POST", f"/v1/accounts/{ben.id}/follow")
    await ann.call("PUT", PATH, json={"data": {"alerts": {"follow": True}, "policy": "followed"}})
    assert (await push(api, ann, ben, NotificationKind.FOLLOW)).sent == 1
    report = await push(api, ann, ben, NotificationKind.FOLLOW, cipher=TokenCipher(b"another secret"))
    assert (report.sent, report.error) == (0, "the app has subscribed with another auth.secret")


async def test_the_token_is_stored_encrypted_and_with_its_session(api: Api, users: tuple[AppUser, AppUser]) -> None:
    """No row of it has the token; the end of the session ends the subscription."""
    ann, _ = users
    (await ann.call("POST", PATH, json=form(Browser(ENDPOINT), "follow"))).expect(200)
    (found,) = await stored(api, ann)
    assert found.app is not None
    assert ann.token.encode() not in found.app.token
    assert CIPHER.decrypt(found.app.token, found.id) == ann.token
    # A browser that subscribes with the same endpoint takes it over, without the token.
    (await ann.user.call("POST", "/push/subscriptions", json=Browser(ENDPOINT).json())).expect(201)
    assert [each.app for each in await stored(api, ann)] == [None]
    (await ann.call("POST", PATH, json=form(Browser(ENDPOINT), "follow"))).expect(200)
    async with api.services.db.transaction() as tx:
        await tx.execute("/* all shards: of a test */ UPDATE sessions SET revoked_at = now()")
    assert await stored(api, ann) == []


async def test_what_is_refused(api: Api, users: tuple[AppUser, AppUser]) -> None:
    """A push service that is not allowed, wrong keys, a session in place of an app, another scope."""
    ann, ben = users
    good = form(Browser(ENDPOINT), "follow")
    for changed in (
        {"endpoint": "https://push.example.com/1"},
        {"endpoint": "https://10.0.0.1/1"},
        {"endpoint": 5},
        {"keys": {"p256dh": "AAAA", "auth": "AAAA"}},
        {"keys": {"p256dh": 5, "auth": None}},
        {"keys": None},
        {"standard": "perhaps"},
    ):
        refused = await ann.call("POST", PATH, json={**good, "subscription": {**good["subscription"], **changed}})
        assert (refused.status, refused.json.keys()) == (422, {"error"}), changed
    wrong: tuple[Any, ...] = ({"alerts": []}, {"alerts": {"follow": "perhaps"}}, {"policy": "some"}, 5)
    for data in wrong:
        assert (await ann.call("POST", PATH, json={**good, "data": data})).status == 422, data
        assert (await ann.call("PUT", PATH, json={"data": data})).status == 422, data
    assert (await ann.call("PUT", PATH, json={})).status == 404
    assert (await ann.call("GET", PATH)).status == 404
    (await ann.call("DELETE", PATH)).expect(200)
    (await ann.call("POST", PATH, json=good)).expect(200)
    assert (await ben.call("GET", PATH)).status == 404
    (await ben.call("DELETE", PATH)).expect(200)
    assert len(await stored(api, ann)) == 1
    assert (await ann.user.call("POST", "/push/subscription", json=good)).status == 422
    reader = await AppUser.authorized(api, ann.user, await register_app(api), ("read", "write"))
    assert (await reader.call("POST", PATH, json=good)).status == 403


async def test_without_a_key_there_are_no_messages(services: InspectableServices) -> None:
    """The key that is announced is empty then."""
    async with running_api(services) as api:
        app = await register_app(api)
        ann = await AppUser.authorized(api, await api.user(), app)
        assert app["vapid_key"] == ""
        refused = await ann.call("POST", PATH, json=form(Browser(ENDPOINT), "follow"))
        assert (refused.status, refused.json["error"]) == (422, "This installation sends no push messages.")
