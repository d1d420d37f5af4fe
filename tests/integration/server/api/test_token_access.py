"""Personal access tokens, connected applications, and the applications of developers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from server.identity.opaque_tokens import TokenKind, shard_in
from storage import ids
from storage.stores.credentials import token_lists
from storage.stores.credentials.oauth_clients import MOST
from tests.support.api import Api
from tests.support.api_user import PASSWORD, ApiUser
from tests.support.oauth import code_for, exchange, post, register, with_token
from workers.jobs.upkeep.token_retention import TokenRetention

pytestmark = pytest.mark.engines

TOKENS, APPLICATIONS, DEVELOPED = "/users/me/tokens", "/users/me/applications", "/oauth/applications"


async def make(user: ApiUser, **fields: Any) -> dict[str, Any]:
    """Make a personal access token."""
    body = {"name": "Backup", "scopes": ["read"], **fields}
    made: dict[str, Any] = (await user.call("POST", TOKENS, json=body)).expect(201)
    return made


def program(api: Api, user: ApiUser, made: dict[str, Any]) -> ApiUser:
    """Return a client with a personal access token."""
    return with_token(api, user, {"access_token": made["token"]})


async def connect(api: Api, user: ApiUser, application: dict[str, Any], **asked: str) -> ApiUser:
    """Return an application that a user has connected, as a client."""
    issued = (await exchange(api, application, await code_for(user, application, **asked))).expect(200)
    return with_token(api, user, issued)


async def test_a_personal_access_token(api: Api) -> None:
    """It is shown once, listed with its last use, and ends at once when it is deleted; others cannot delete it."""
    ann, ben = await api.user(), await api.user()
    made = await make(ann)
    assert shard_in(made["token"], TokenKind.PERSONAL) == ids.shard_of(ids.decode(ann.id))
    assert made["expires_at"] is not None
    await make(ann, name="For ever", expires_in_days=None)
    own = program(api, ann, made)
    (await own.call("GET", "/users/me")).expect(200)
    listed = (await ann.call("GET", TOKENS)).expect(200)
    assert [(each["name"], each["token"], each["expires_at"] is None) for each in listed["items"]] == [
        ("For ever", None, True),
        ("Backup", None, False),
    ]
    assert {"name": "moderation", "description": "moderate, as far as your role allows"} in listed["scopes"]
    (await ben.call("DELETE", f"{TOKENS}/{made['id']}")).expect(404)
    (await ann.call("DELETE", f"{TOKENS}/{made['id']}")).expect(204)
    (await ann.call("DELETE", f"{TOKENS}/{made['id']}")).expect(404)
    assert (await own.call("GET", "/users/me")).expect(401)["code"] == "session_revoked"


async def test_a_token_is_made_after_a_proof_of_identity(api: Api) -> None:
    """A stolen session is not enough for access that outlives it, and the user is notified."""
    ann = await api.user()
    await api.services.db.fetch("UPDATE sessions SET authenticated_at = authenticated_at - interval '16 minutes'")
    refused = await ann.call("POST", TOKENS, json={"name": "x", "scopes": ["read"]})
    assert refused.expect(403)["code"] == "reauthentication_required"
    (await ann.call("POST", "/users/me/reauthentication", json={"password": PASSWORD})).expect(200)
    await make(ann)
    assert await api.services.db.fetchval("SELECT count(*) FROM outbox WHERE topic = 'security.noticed'") == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "x" * 61},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": "read"},
        {"expires_in_days": 3650},
        {"expires_in_days": "30"},
        {"surprise": 1},
    ],
)
async def test_malformed_tokens(api: Api, fields: dict[str, Any]) -> None:
    """The error names the field."""
    ann = await api.user()
    body = {"name": "x", "scopes": ["read"], **fields}
    problem = (await ann.call("POST", TOKENS, json=body)).expect(422)
    assert problem["errors"][0]["field"].split(".")[0] == next(iter(fields))


async def test_a_user_has_fifty_tokens(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of requests at the same moment, no more succeed."""
    monkeypatch.setattr(token_lists, "MOST", 3)
    ann = await api.user()
    body = {"name": "x", "scopes": ["read"]}
    answers = await asyncio.gather(*(ann.call("POST", TOKENS, json=body) for _ in range(6)))
    assert sorted(each.status for each in answers) == [201, 201, 201, 409, 409, 409]


async def test_connected_applications(api: Api) -> None:
    """An application is listed once with all of its scopes, and loses its access at once when it is disconnected."""
    dev, ann, ben = await api.user(), await api.user(), await api.user()
    application = await register(dev)
    first = await connect(api, ann, application, scope="read:photos")
    second = await connect(api, ann, application, scope="write:likes")
    others = await connect(api, ben, application)
    (await first.call("GET", "/photos")).expect(200)
    (item,) = (await ann.call("GET", APPLICATIONS)).expect(200)["items"]
    assert (item["application"]["name"], item["application"]["client_id"]) == ("Frames", application["client_id"])
    assert [scope["name"] for scope in item["scopes"]] == ["read:photos", "write:likes"]
    assert (await ann.call("GET", "/users/me/sessions")).expect(200)["items"][0]["current"]
    assert len((await ann.call("GET", "/users/me/sessions")).expect(200)["items"]) == 1
    (await ann.call("DELETE", f"{APPLICATIONS}/{application['client_id']}")).expect(204)
    for client in (first, second):
        (await client.call("GET", "/photos")).expect(401)
    (await others.call("GET", "/photos")).expect(200)
    assert (await ann.call("GET", APPLICATIONS)).expect(200)["items"] == []
    (await ann.call("DELETE", f"{APPLICATIONS}/{application['client_id']}")).expect(404)


async def test_tokens_and_the_end_of_sessions(api: Api) -> None:
    """Signing out elsewhere and a new password keep applications, unless the user wants otherwise."""
    ann = await api.user()
    made = await make(ann)
    own, client = program(api, ann, made), await connect(api, ann, await register(await api.user()))
    (await ann.call("DELETE", "/users/me/sessions?others=true")).expect(200)
    passwords: dict[str, Any] = {"current_password": PASSWORD, "new_password": "staple battery horse"}
    (await ann.call("PATCH", "/users/me/password", json=passwords)).expect(204)
    for each in (own, client):
        (await each.call("GET", "/users/me")).expect(200)
    passwords = {"current_password": "staple battery horse", "new_password": PASSWORD, "end_apps": True}
    (await ann.call("PATCH", "/users/me/password", json=passwords)).expect(204)
    for each in (own, client):
        assert (await each.call("GET", "/users/me")).expect(401)["code"] == "session_revoked"
    assert (await ann.call("GET", TOKENS)).expect(200)["items"] == []


async def test_the_applications_of_a_developer(api: Api) -> None:
    """They are registered, changed and deleted by their owner alone; the secret is shown once."""
    dev, ann = await api.user(), await api.user()
    application = await register(dev)
    path = f"{DEVELOPED}/{application['client_id']}"
    assert shard_in(application["client_secret"], TokenKind.SECRET) is not None
    (item,) = (await dev.call("GET", DEVELOPED)).expect(200)["items"]
    assert item == {**application, "client_secret": None}
    fields = {"name": "Frames 2", "website": "", "redirect_uris": ["ivory://oauth"], "scopes": ["read"]}
    for method, body in (("GET", None), ("PUT", fields), ("DELETE", None), ("POST", None)):
        where = f"{path}/secret" if method == "POST" else path
        assert (await ann.call(method, where, json=body)).expect(404)["code"] == "application_not_found"
    changed = (await dev.call("PUT", path, json=fields)).expect(200)
    assert (changed["name"], changed["redirect_uris"]) == ("Frames 2", ["ivory://oauth"])
    renewed = (await dev.call("POST", f"{path}/secret")).expect(201)["client_secret"]
    form: dict[str, Any] = {"grant_type": "client_credentials", "client_id": application["client_id"]}
    (await post(api, "/oauth/token", **form, client_secret=application["client_secret"])).expect(401)
    (await post(api, "/oauth/token", **form, client_secret=renewed)).expect(200)


async def test_a_deleted_application_has_no_access(api: Api) -> None:
    """Its tokens end, it gets no others, and the janitor ends what the request has left."""
    dev, ann = await api.user(), await api.user()
    application = await register(dev, refreshes=True)
    issued = (await exchange(api, application, await code_for(ann, application))).expect(200)
    code = await code_for(ann, application)
    (await dev.call("DELETE", f"{DEVELOPED}/{application['client_id']}")).expect(204)
    (await with_token(api, ann, issued).call("GET", "/users/me")).expect(401)
    assert (await exchange(api, application, code)).expect(401)["error"] == "invalid_client"
    assert (await ann.call("GET", APPLICATIONS)).expect(200)["items"] == []
    assert (await dev.call("GET", DEVELOPED)).expect(200)["items"] == []
    await TokenRetention(api.services.db).end_deleted()
    client_id = ids.decode(application["client_id"])
    assert await api.services.db.fetchval("SELECT count(*) FROM oauth_clients WHERE id = $1", client_id) == 0


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": " "}, "name"),
        ({"redirect_uris": []}, "redirect_uris"),
        ({"redirect_uris": ["http://app.example/"]}, "redirect_uris.0"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "redirect_uris.0"),
        ({"redirect_uris": ["https://app.example/"] * 11}, "redirect_uris"),
        ({"website": "javascript:alert(1)"}, "website"),
        ({"website": "https://[x"}, "website"),
        ({"scopes": ["moderation"]}, "scopes"),
        ({"scopes": ["nothing"]}, "scopes"),
    ],
)
async def test_malformed_applications(api: Api, fields: dict[str, Any], field: str) -> None:
    """The error names the field, and nothing is registered."""
    dev = await api.user()
    body = {"name": "x", "redirect_uris": ["https://app.example/"], "scopes": ["read"], **fields}
    problem = (await dev.call("POST", DEVELOPED, json=body)).expect(422)
    assert problem["errors"][0]["field"] == field


async def test_a_developer_has_twenty_applications(api: Api) -> None:
    """One more is refused."""
    dev = await api.user()
    for _ in range(MOST):
        await register(dev)
    body = {"name": "x", "redirect_uris": ["https://app.example/"], "scopes": ["read"]}
    assert (await dev.call("POST", DEVELOPED, json=body)).expect(409)["code"] == "too_many_applications"
