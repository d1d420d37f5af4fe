"""`/webhooks`: who has which, what may be changed when, addresses that are refused, secrets, attempts and replays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.actions.webhooks import Replayed, WebhookActions
from server.edge.webhook_responses import AttemptResponse, NewSecretResponse, WebhookResponse
from storage import ids
from storage.events import PhotoDeleted
from storage.models import Role
from storage.stores.accounts import users
from tests.support.api import Api
from tests.support.api_user import ApiUser, Response
from tests.support.webhooks import WebhookScene, answer
from workers.jobs.live.permissions import LivePermissions
from workers.outbound.policy import OutboundPolicy
from workers.outbound.resolving import SystemResolver
from workers.webhooks.payloads import EVENT_TYPES

pytestmark = pytest.mark.engines

HOST = "93.184.215.14"
URL = f"https://{HOST}/hook"
UNKNOWN = ids.encode(7)


@pytest.fixture
def scene(api: Api) -> WebhookScene:
    """The worker, and receivers in memory."""
    return WebhookScene(api.services.db)


async def call(user: ApiUser, method: str, path: str, body: Any = None, **options: Any) -> Response:
    """Send a request with a JSON body."""
    return await user.call(method, path, **({} if body is None else {"json": body}), **options)


async def created(user: ApiUser, **fields: Any) -> dict[str, Any]:
    """Create a webhook and return it with its secret."""
    made: dict[str, Any] = (await call(user, "POST", "/webhooks", {"url": URL, **fields})).expect(201)
    NewSecretResponse.model_validate(made)
    return made


async def active(scene: WebhookScene, user: ApiUser, **fields: Any) -> dict[str, Any]:
    """Create a webhook whose receiver accepts it."""
    made = await created(user, **fields)
    await scene.send()
    found: dict[str, Any] = (await call(user, "GET", f"/webhooks/{made['id']}")).expect(200)
    assert found["state"] == "active"
    scene.receivers.messages.clear()
    return made


async def happen(scene: WebhookScene, user: ApiUser) -> str:
    """Let a photo be deleted; return the id of the message."""
    user_id = ids.decode(user.id)
    return await scene.handle(PhotoDeleted(photo_id=user_id, author_id=user_id, sha256=""))


async def attempts(user: ApiUser, webhook: dict[str, Any], **query: str) -> list[dict[str, Any]]:
    """Return the attempts at a webhook, without pings."""
    parameters = "&".join(f"{name}={value}" for name, value in query.items())
    page = (await call(user, "GET", f"/webhooks/{webhook['id']}/attempts?{parameters}")).expect(200)
    return [one for one in page["items"] if one["type"] != "endpoint.ping"]


async def test_a_webhook_is_created_unverified_and_activated_by_its_ping(api: Api, scene: WebhookScene) -> None:
    """The secret is in this response alone."""
    ada = await api.user()
    made = await created(ada, description="My service", types=["like.added", "photo.ready", "like.added"])
    assert made["secret"].startswith("whsec_")
    assert (made["state"], made["types"], made["scope"]) == ("unverified", ["like.added", "photo.ready"], "own")
    found = (await call(ada, "GET", f"/webhooks/{made['id']}")).expect(200)
    WebhookResponse.model_validate(found)
    assert "secret" not in found
    assert (await call(ada, "GET", "/webhooks")).expect(200) == {"items": [found], "next": None}
    await scene.send()
    (ping,) = scene.receivers.messages
    assert ping.verify(made["secret"])["type"] == "endpoint.ping"
    assert (await call(ada, "GET", f"/webhooks/{made['id']}")).expect(200)["state"] == "active"


async def test_an_asymmetric_webhook_has_a_public_key_and_no_secret(api: Api) -> None:
    """The private key never leaves the service."""
    ada = await api.user()
    made = await created(ada, signing="ed25519")
    assert (made["signing"], made["secret"]) == ("ed25519", None)
    assert made["public_key"].startswith("whpk_")
    assert b"whsk_" not in (await call(ada, "GET", "/webhooks")).body


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://10.0.0.7/",
        "https://169.254.169.254/latest/meta-data",
        "https://[64:ff9b::7f00:1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://localhost/",
        "https://93.184.215.14:22/",
        "https://user:password@93.184.215.14/",
        "https://this-name-does-not-exist.invalid/",
        "ftp://93.184.215.14/",
        "nonsense",
        "",
    ],
)
async def test_addresses_that_may_not_be_dialled_are_refused(api: Api, url: str) -> None:
    """At creation and at a change, with the field's name."""
    ada = await api.user()
    problem = (await call(ada, "POST", "/webhooks", {"url": url})).expect(422)
    assert [one["field"] for one in problem["errors"]] == ["url"]
    made = await created(ada)
    problem = (await call(ada, "PATCH", f"/webhooks/{made['id']}", {"url": url})).expect(422)
    assert [one["field"] for one in problem["errors"]] == ["url"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("types", ["photo.stolen"]),
        ("types", ["endpoint.ping"]),
        ("scope", "some"),
        ("signing", "rsa"),
        ("description", "x" * 201),
        ("state", "active"),
    ],
)
async def test_bad_input_names_the_field(api: Api, field: str, value: Any) -> None:
    """A clear error, and nothing is created."""
    ada = await api.user()
    problem = (await call(ada, "POST", "/webhooks", {"url": URL, field: value})).expect(422)
    assert problem["errors"][0]["field"].startswith(field)
    assert (await call(ada, "GET", "/webhooks")).expect(200)["items"] == []


async def test_an_account_has_ten_webhooks_at_most(api: Api) -> None:
    """Deleted ones do not count."""
    ada = await api.user()
    made = [await created(ada) for _ in range(10)]
    assert (await call(ada, "POST", "/webhooks", {"url": URL})).expect(409)["code"] == "too_many_webhooks"
    (await call(ada, "DELETE", f"/webhooks/{made[0]['id']}")).expect(204)
    await created(ada)


async def test_only_administrators_get_the_events_of_all(api: Api) -> None:
    """By the role in the database, not the one in the token."""
    ada = await api.user()
    refused = (await call(ada, "POST", "/webhooks", {"url": URL, "scope": "all"})).expect(409)
    assert (refused["code"], refused["errors"][0]["field"]) == ("webhook_scope", "scope")
    async with api.services.db.transaction() as tx:
        await users.set_role(tx, ada.name, Role.ADMIN)
    assert (await created(ada, scope="all"))["scope"] == "all"


async def test_a_webhook_of_another_user_is_not_found(api: Api, scene: WebhookScene) -> None:
    """Its attempts neither, in whatever way it is asked for; an attempt belongs to its webhook, too."""
    ada, eve = await api.user(), await api.user()
    hers, other = await active(scene, ada), await active(scene, eve)
    await happen(scene, ada)
    await scene.send()
    (attempt,) = await attempts(ada, hers)
    for webhook_id in (hers["id"], UNKNOWN):
        path = f"/webhooks/{webhook_id}"
        for response in (
            await call(eve, "GET", path),
            await call(eve, "PATCH", path, {"state": "paused"}),
            await call(eve, "DELETE", path),
            await call(eve, "POST", f"{path}/ping"),
            await call(eve, "POST", f"{path}/secret", {}),
            await call(eve, "GET", f"{path}/attempts"),
            await call(eve, "POST", f"{path}/attempts/{attempt['id']}/replay"),
            await call(eve, "POST", f"{path}/replay", {}),
        ):
            assert response.expect(404)["code"] == "webhook_not_found"
    foreign = await call(eve, "POST", f"/webhooks/{other['id']}/attempts/{attempt['id']}/replay")
    assert foreign.expect(404)["code"] == "attempt_not_found"
    assert (await call(ada, "GET", f"/webhooks/{hers['id']}")).expect(200)["state"] == "active"
    assert (await call(api.visitor, "GET", "/webhooks")).status == 401


async def test_a_webhook_is_paused_and_goes_on(api: Api, scene: WebhookScene) -> None:
    """Not before it is verified."""
    ada = await api.user()
    made = await created(ada)
    for state in ("active", "paused"):
        refused = (await call(ada, "PATCH", f"/webhooks/{made['id']}", {"state": state})).expect(409)
        assert refused["code"] == "webhook_not_verified"
    await scene.send()
    paused = (await call(ada, "PATCH", f"/webhooks/{made['id']}", {"state": "paused", "description": "later"})).expect(
        200
    )
    assert (paused["state"], paused["description"]) == ("paused", "later")
    sent = await happen(scene, ada)
    await scene.send()
    assert len(scene.receivers.messages) == 1
    (await call(ada, "POST", f"/webhooks/{made['id']}/ping")).expect(202)
    await scene.send()
    assert len(scene.receivers.messages) == 2
    assert (await call(ada, "GET", f"/webhooks/{made['id']}")).expect(200)["state"] == "paused"
    (await call(ada, "PATCH", f"/webhooks/{made['id']}", {"state": "active"})).expect(200)
    await scene.send()
    assert scene.receivers.messages[-1].id == sent


async def test_another_url_is_verified_again(api: Api, scene: WebhookScene) -> None:
    """Nothing but the ping goes there before; the same URL changes nothing."""
    ada = await api.user()
    made = await active(scene, ada)
    assert (await call(ada, "PATCH", f"/webhooks/{made['id']}", {"url": URL})).expect(200)["state"] == "active"
    await happen(scene, ada)
    moved = (await call(ada, "PATCH", f"/webhooks/{made['id']}", {"url": "https://93.184.215.15/"})).expect(200)
    assert moved["state"] == "unverified"
    scene.receivers.by_host["93.184.215.15"] = answer(200)
    await scene.send()
    assert [message.document["type"] for message in scene.receivers.of("93.184.215.15")] == ["endpoint.ping"]
    assert (await call(ada, "GET", f"/webhooks/{made['id']}")).expect(200)["state"] == "unverified"


async def test_one_ping_is_under_way_at_a_time(api: Api, scene: WebhookScene) -> None:
    """So nobody can make the service flood an address with pings."""
    ada = await api.user()
    made = await created(ada)
    assert (await call(ada, "POST", f"/webhooks/{made['id']}/ping")).expect(409)["code"] == "webhook_in_progress"
    await scene.send()
    (await call(ada, "POST", f"/webhooks/{made['id']}/ping")).expect(202)
    await scene.send()
    assert len(scene.receivers.messages) == 2


async def test_a_replaced_secret_is_shown_once_and_the_former_signs_for_a_day(api: Api, scene: WebhookScene) -> None:
    """Also when the scheme changes."""
    ada = await api.user()
    made = await active(scene, ada)
    changed = (await call(ada, "POST", f"/webhooks/{made['id']}/secret", {})).expect(200)
    NewSecretResponse.model_validate(changed)
    assert changed["secret"] not in {None, made["secret"]}
    until = datetime.fromisoformat(changed["previous_secret_until"])
    assert timedelta(hours=23) < until - datetime.now(UTC) <= timedelta(hours=24)
    await happen(scene, ada)
    await scene.send()
    (message,) = scene.receivers.messages
    assert message.verify(made["secret"]) == message.verify(changed["secret"])
    asymmetric = (await call(ada, "POST", f"/webhooks/{made['id']}/secret", {"signing": "ed25519"})).expect(200)
    assert (asymmetric["signing"], asymmetric["secret"]) == ("ed25519", None)
    await happen(scene, ada)
    await scene.send()
    signature = scene.receivers.messages[-1].headers["webhook-signature"]
    assert [part.partition(",")[0] for part in signature.split()] == ["v1a", "v1"]


async def test_attempts_are_listed_newest_first_in_pages(api: Api, scene: WebhookScene) -> None:
    """With everything that the owner needs to find a fault; `only=failed` leaves out the others."""
    ada = await api.user()
    made = await active(scene, ada)
    scene.receivers.by_host[HOST] = answer(500)
    failed = await happen(scene, ada)
    await scene.send()
    scene.receivers.by_host.clear()
    delivered = await happen(scene, ada)
    await scene.send()
    found = await attempts(ada, made)
    for one in found:
        AttemptResponse.model_validate(one)
    assert [(one["message_id"], one["outcome"]) for one in found] == [(delivered, "delivered"), (failed, "failed")]
    assert [one["message_id"] for one in await attempts(ada, made, only="failed")] == [failed]
    first = (await call(ada, "GET", f"/webhooks/{made['id']}/attempts?limit=1")).expect(200)
    second = (await call(ada, "GET", f"/webhooks/{made['id']}/attempts?limit=1&cursor={first['next']}")).expect(200)
    assert [page["items"][0]["message_id"] for page in (first, second)] == [delivered, failed]
    (await call(ada, "GET", f"/webhooks/{made['id']}/attempts?only=good")).expect(400)


async def test_the_message_of_an_attempt_is_sent_again_with_the_same_id(api: Api, scene: WebhookScene) -> None:
    """Delivered or not; not while an attempt is under way, nor once its event is forgotten."""
    ada = await api.user()
    made = await active(scene, ada)
    sent = await happen(scene, ada)
    await scene.send()
    (attempt,) = await attempts(ada, made)
    path = f"/webhooks/{made['id']}/attempts/{attempt['id']}/replay"
    (await call(ada, "POST", path)).expect(202)
    await scene.send()
    assert scene.receivers.ids(HOST) == [sent, sent]
    await api.services.db.fetch("UPDATE webhook_deliveries SET leased_until = now() + interval '1 minute' RETURNING 1")
    assert (await call(ada, "POST", path)).expect(409)["code"] == "webhook_in_progress"
    await api.services.db.fetch("UPDATE webhook_deliveries SET leased_until = NULL, event = NULL RETURNING 1")
    assert (await call(ada, "POST", path)).expect(409)["code"] == "webhook_too_old"
    (await call(ada, "POST", f"/webhooks/{made['id']}/attempts/{UNKNOWN}/replay")).expect(404)


async def test_messages_since_a_time_or_all_failed_ones_are_sent_again(api: Api, scene: WebhookScene) -> None:
    """Each with its id; pings and those that wait are left out."""
    ada = await api.user()
    made = await active(scene, ada)
    old = await happen(scene, ada)
    await scene.send()
    await scene.advance(timedelta(hours=2))
    good = await happen(scene, ada)
    await scene.send()
    scene.receivers.by_host[HOST] = answer(500)
    bad = await happen(scene, ada)
    await scene.send()
    await api.services.db.fetch("UPDATE webhook_deliveries SET state = 'failed' WHERE state = 'waiting' RETURNING 1")
    waiting = await happen(scene, ada)
    await scene.send()
    scene.receivers.by_host.clear()
    scene.receivers.messages.clear()
    path = f"/webhooks/{made['id']}/replay"
    assert (await call(ada, "POST", path, {"only": "failed"})).expect(202) == {"replayed": 1, "more": False}
    await scene.send()
    assert scene.receivers.ids(HOST) == [bad]
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert (await call(ada, "POST", path, {"since": hour_ago})).expect(202) == {"replayed": 2, "more": False}
    await scene.send()
    assert sorted(scene.receivers.ids(HOST)[1:]) == sorted([good, bad])
    assert (await call(ada, "POST", path, {})).expect(202) == {"replayed": 3, "more": False}
    await scene.send()
    assert sorted(scene.receivers.ids(HOST)[3:]) == sorted([old, good, bad])
    assert waiting not in scene.receivers.ids(HOST)
    for since in (1795172400, "2026-11-20"):
        assert (await call(ada, "POST", path, {"since": since})).expect(422)["errors"][0]["field"] == "since"


async def test_very_many_messages_are_sent_again_in_several_requests(api: Api, scene: WebhookScene) -> None:
    """One request sends a bounded number of them, in small transactions."""
    permissions = LivePermissions(api.services.db, api.services.stores.publisher)
    actions = WebhookActions(api.services.db, permissions, OutboundPolicy(), SystemResolver(), max_replayed=4, batch=2)
    ada = await api.user()
    made = await active(scene, ada)
    for _ in range(5):
        await happen(scene, ada)
    await scene.send()

    async def replay() -> Replayed:
        viewer_id, endpoint_id = ids.decode(ada.id), ids.decode(made["id"])
        return await actions.replay(viewer_id, endpoint_id, since=None, failed_only=False, now=datetime.now(UTC))

    assert await replay() == (4, True)
    assert await replay() == (1, False)
    await scene.send()
    assert len(scene.receivers.messages) == 10


async def test_nothing_is_sent_again_to_a_webhook_that_is_not_verified(api: Api, scene: WebhookScene) -> None:
    """Its receiver has not agreed to get anything."""
    ada = await api.user()
    made = await created(ada)
    scene.receivers.by_host[HOST] = answer(200)
    await scene.send()
    for path in ("replay", f"attempts/{UNKNOWN}/replay"):
        refused = (await call(ada, "POST", f"/webhooks/{made['id']}/{path}", {})).expect(409)
        assert refused["code"] == "webhook_not_verified"


async def test_types_are_listed_with_schemas_of_the_openapi_document(api: Api) -> None:
    """The document has a section `webhooks` with each of them, and the ping."""
    found = (await call(api.visitor, "GET", "/webhooks/event-types")).expect(200)
    assert [one["type"] for one in found["items"]] == list(EVENT_TYPES)
    assert all(one["json_schema"]["properties"]["type"]["const"] == one["type"] for one in found["items"])
    document = (await call(api.visitor, "GET", "/openapi.json")).expect(200)
    assert set(document["webhooks"]) == {*EVENT_TYPES, "endpoint.ping"}
    schemas = document["components"]["schemas"]
    reference = document["webhooks"]["like.added"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schemas[reference["$ref"].rpartition("/")[2]]["properties"]["type"]["const"] == "like.added"


async def test_a_repeated_creation_makes_one_webhook(api: Api) -> None:
    """With its Idempotency-Key, like every creation."""
    ada = await api.user()
    first, second = [
        (await call(ada, "POST", "/webhooks", {"url": URL}, headers={"Idempotency-Key": "k"})).expect(201)
        for _ in range(2)
    ]
    assert first == second
    assert len((await call(ada, "GET", "/webhooks")).expect(200)["items"]) == 1
