"""Signing up, in and out; refreshing tokens; sessions in a browser's cookies."""

from __future__ import annotations

import asyncio
from http.cookies import SimpleCookie
from typing import Any

import pytest

from channels.bus.addressing import channel_prefix, registry_key, user_field
from channels.bus.envelope import DisconnectOrder, decode_envelope
from storage import ids
from storage.ids import slot_group
from storage.limits.tickets import revoked_key
from storage.postgres.database import Database
from storage.redis.client import Redis
from tests.support.api import Api, running_api, with_accounts
from tests.support.api_user import Response
from tests.support.driver_commands import commands, driver_client
from tests.support.eventually import DEADLINE

pytestmark = pytest.mark.engines

PASSWORD = "correct horse battery"


def cookies_of(response: Response) -> SimpleCookie:
    """Return the cookies that a response sets."""
    jar = SimpleCookie()
    for header in response.headers.getall("Set-Cookie"):  # type: ignore[attr-defined]
        jar.load(header)
    return jar


def as_header(jar: SimpleCookie) -> dict[str, str]:
    """Return the Cookie header of a browser with these cookies."""
    return {"Cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())}


async def sign_in_with_cookies(api: Api, name: str) -> SimpleCookie:
    """Sign in as the web application does."""
    body = {"username": name, "password": PASSWORD, "cookie": True}
    response = await api.visitor.call("POST", "/tokens", json=body)
    content = response.expect(201)
    assert "access_token" not in content
    assert "refresh_token" not in content
    return cookies_of(response)


async def test_signing_up_returns_the_account_and_tokens(api: Api) -> None:
    """A user who signs up is signed in."""
    body = {"username": "Ann", "email": "ann@example.org", "password": PASSWORD, "display_name": "Ann B."}
    content = (await api.visitor.call("POST", "/users", json=body)).expect(201)
    assert content["user"]["username"] == "Ann"
    assert content["user"]["email"] == "ann@example.org"
    assert content["expires_in"] == 900
    me = await api.visitor.call("GET", "/users/me", headers={"Authorization": f"Bearer {content['access_token']}"})
    assert me.expect(200)["display_name"] == "Ann B."


async def test_a_taken_name_is_a_conflict_that_names_the_field(api: Api) -> None:
    """Usernames are unique regardless of case, and the response names the field; addresses are no conflict."""
    await api.user("ann")
    taken = {"username": "ANN", "email": "x@example.org", "password": PASSWORD}
    problem = (await api.visitor.call("POST", "/users", json=taken)).expect(409)
    assert problem["code"] == "username_taken"
    assert problem["errors"][0]["field"] == "username"
    other = {"username": "other", "email": "ANN@picshare.example", "password": PASSWORD}
    assert (await api.visitor.call("POST", "/users", json=other)).status == 201


BAD_INPUT = [
    ("username", "a"),
    ("username", "with space"),
    ("username", "me"),
    ("username", "0123456789ABC"),
    ("username", "nul\x00"),
    ("email", "nobody"),
    ("password", "short"),
    ("display_name", "\u202egpj.exe"),
    ("unknown", "x"),
]


async def test_invalid_input_is_a_422_that_names_the_field(api: Api) -> None:
    """Each invalid value is reported with its field."""
    for field, value in BAD_INPUT:
        body = {"username": "ann", "email": "ann@example.org", "password": PASSWORD} | {field: value}
        problem = (await api.visitor.call("POST", "/users", json=body)).expect(422)
        assert problem["code"] == "invalid_input", value
        assert [item["field"] for item in problem["errors"]] == [field]


async def test_users_sign_in_by_username_or_email(api: Api) -> None:
    """A username in any case and an e-mail address are both accepted."""
    await api.user("ann")
    for login in ("ann", "ANN", "ann@picshare.example"):
        content = (await api.visitor.call("POST", "/tokens", json={"username": login, "password": PASSWORD})).expect(
            201
        )
        assert content["user"]["username"] == "ann"


async def test_a_refresh_whose_response_was_lost_can_be_repeated(api: Api) -> None:
    """The same client gets another pair, until it has used one; then the old token ends the session."""
    await api.user("ann")
    first = (await api.visitor.call("POST", "/tokens", json={"username": "ann", "password": PASSWORD})).expect(201)
    body = {"refresh_token": first["refresh_token"]}
    lost = (await api.visitor.call("POST", "/tokens/refresh", json=body)).expect(201)
    again = (await api.visitor.call("POST", "/tokens/refresh", json=body)).expect(201)
    assert again["refresh_token"] not in {first["refresh_token"], lost["refresh_token"]}
    headers = {"Authorization": f"Bearer {again['access_token']}"}
    (await api.visitor.call("GET", "/users/me", headers=headers)).expect(200)
    newest = {"refresh_token": again["refresh_token"]}
    (await api.visitor.call("POST", "/tokens/refresh", json=newest)).expect(201)
    (await api.visitor.call("POST", "/tokens/refresh", json=body)).expect(401)
    assert (await api.visitor.call("GET", "/users/me", headers=headers)).expect(401)["code"] == "session_revoked"


@pytest.mark.parametrize("agent", ["another", "another\udcff"])
async def test_a_refresh_token_can_be_used_once(api: Api, agent: str) -> None:
    """A second use of a refresh token by another client ends the session."""
    await api.user("ann")
    first = (await api.visitor.call("POST", "/tokens", json={"username": "ann", "password": PASSWORD})).expect(201)
    body = {"refresh_token": first["refresh_token"]}
    second = (await api.visitor.call("POST", "/tokens/refresh", json=body)).expect(201)
    thief = {"User-Agent": agent}
    refusal = (await api.visitor.call("POST", "/tokens/refresh", json=body, headers=thief)).expect(401)
    assert "not valid" in refusal["detail"]
    newest = {"refresh_token": second["refresh_token"]}
    (await api.visitor.call("POST", "/tokens/refresh", json=newest)).expect(401)
    headers = {"Authorization": f"Bearer {second['access_token']}"}
    assert (await api.visitor.call("GET", "/users/me", headers=headers)).expect(401)["code"] == "session_revoked"


async def test_simultaneous_refreshes_do_not_end_the_session(api: Api) -> None:
    """A client that uses its refresh token several times at the same moment goes on with any of the new pairs."""
    await api.user("ann")
    content = (await api.visitor.call("POST", "/tokens", json={"username": "ann", "password": PASSWORD})).expect(201)
    body = {"refresh_token": content["refresh_token"]}
    responses = await asyncio.gather(*(api.visitor.call("POST", "/tokens/refresh", json=body) for _ in range(5)))
    pairs = [response.expect(201) for response in responses]
    for pair in pairs:
        headers = {"Authorization": f"Bearer {pair['access_token']}"}
        (await api.visitor.call("GET", "/users/me", headers=headers)).expect(200)
        body = {"refresh_token": pair["refresh_token"]}
        (await api.visitor.call("POST", "/tokens/refresh", json=body)).expect(201)


async def test_signing_out_revokes_the_access_token_at_once(api: Api) -> None:
    """After signing out the token is rejected everywhere, the feed included."""
    ann = await api.user()
    (await ann.call("GET", "/feed")).expect(200)
    (await ann.call("DELETE", "/tokens/current")).expect(204)
    for path in ("/users/me", "/feed"):
        problem = (await ann.call("GET", path)).expect(401)
        assert problem["code"] == "session_revoked"


async def test_signing_out_revokes_the_refresh_token(api: Api) -> None:
    """After signing out no new tokens are issued for the session."""
    await api.user("ann")
    content = (await api.visitor.call("POST", "/tokens", json={"username": "ann", "password": PASSWORD})).expect(201)
    headers = {"Authorization": f"Bearer {content['access_token']}"}
    (await api.visitor.call("DELETE", "/tokens/current", headers=headers)).expect(204)
    body = {"refresh_token": content["refresh_token"]}
    problem = (await api.visitor.call("POST", "/tokens/refresh", json=body)).expect(401)
    assert problem["code"] == "refresh_token_invalid"


async def test_a_revocation_outlives_every_access_token(api: Api, redis: Redis) -> None:
    """A session stays revoked for longer than the newest access token is valid, also by a clock that is behind."""
    ann = await api.user()
    (await ann.call("DELETE", "/tokens/current")).expect(204)
    key = revoked_key(api.tokens.verify(ann.token).session, ids.decode(ann.id))
    assert api.tokens.ttl + 30 < await commands(redis).ttl(key) <= api.tokens.ttl + 60


async def test_no_tokens_are_issued_for_a_deleted_account(api: Api, database: Database) -> None:
    """A session that is still open when its account is deleted cannot be refreshed."""
    await api.user("ann")
    content = (await api.visitor.call("POST", "/tokens", json={"username": "ann", "password": PASSWORD})).expect(201)
    await database.fetch("UPDATE users SET deleted_at = now()")
    body = {"refresh_token": content["refresh_token"]}
    (await api.visitor.call("POST", "/tokens/refresh", json=body)).expect(401)


async def test_signing_out_is_published_to_the_live_processes(api: Api, redis: Redis) -> None:
    """The processes with connections of the user receive the id of the ended session."""
    ann = await api.user()
    user_id = ids.decode(ann.id)
    group = slot_group(user_id)
    await commands(redis).hset(registry_key(group), user_field(user_id), b"abcdefgh")
    async with driver_client(redis) as driver, driver.pubsub() as pubsub:
        await pubsub.subscribe(channel_prefix(group) + b"abcdefgh")
        await pubsub.get_message(timeout=DEADLINE)
        (await ann.call("DELETE", "/tokens/current")).expect(204)
        message: dict[str, Any] | None = await pubsub.get_message(ignore_subscribe_messages=True, timeout=DEADLINE)
    assert message is not None
    envelope = decode_envelope(message["data"])
    assert envelope.user_ids == (user_id,)
    assert envelope.body == DisconnectOrder(api.tokens.verify(ann.token).session)


async def test_another_session_of_the_same_user_continues(api: Api) -> None:
    """Signing out on one device does not end the session on another."""
    ann = await api.user("ann")
    content = (await api.visitor.call("POST", "/tokens", json={"username": "ann", "password": PASSWORD})).expect(201)
    (await ann.call("DELETE", "/tokens/current")).expect(204)
    headers = {"Authorization": f"Bearer {content['access_token']}"}
    (await api.visitor.call("GET", "/users/me", headers=headers)).expect(200)


async def test_a_deleted_account_frees_its_name(api: Api) -> None:
    """Deleting an account for good ends its sessions and makes its name available."""
    async with running_api(with_accounts(api.services, deletion_grace=0)) as final:
        ann = await final.user("ann")
        (await ann.call("DELETE", "/users/me")).expect(202)
        (await ann.call("GET", "/users/me")).expect(401)
        (await final.visitor.call("GET", "/users/ann")).expect(404)
        (await final.visitor.call("POST", "/tokens", json={"username": "ann", "password": PASSWORD})).expect(401)
        await final.user("ann")


async def test_cookies_are_protected_from_scripts_and_other_sites(api: Api) -> None:
    """The tokens' cookies are HttpOnly and SameSite=Lax; the page can read only the CSRF token."""
    await api.user("ann")
    jar = await sign_in_with_cookies(api, "ann")
    for name, readable in (("picshare_access", False), ("picshare_refresh", False), ("picshare_csrf", True)):
        assert jar[name]["samesite"] == "Lax"
        assert bool(jar[name]["httponly"]) is not readable
        assert not jar[name]["secure"]  # this service is reached over http
    assert jar["picshare_refresh"]["path"] == "/api/v1/tokens"


async def test_a_cookie_session_reads_refreshes_and_ends(api: Api) -> None:
    """With cookies alone a browser can read, refresh its tokens, and sign out."""
    await api.user("ann")
    jar = await sign_in_with_cookies(api, "ann")
    (await api.visitor.call("GET", "/users/me", headers=as_header(jar))).expect(200)
    proof = {"X-CSRF-Token": jar["picshare_csrf"].value}
    renewal = await api.visitor.call("POST", "/tokens/refresh", headers=as_header(jar) | proof)
    content = renewal.expect(201)
    assert "access_token" not in content
    jar = cookies_of(renewal)
    proof = {"X-CSRF-Token": jar["picshare_csrf"].value}
    ended = await api.visitor.call("DELETE", "/tokens/current", headers=as_header(jar) | proof)
    ended.expect(204)
    assert all(morsel["max-age"] == "0" for morsel in cookies_of(ended).values())
    (await api.visitor.call("GET", "/users/me", headers=as_header(jar))).expect(401)


async def test_an_expired_cookie_does_not_prevent_signing_in(api: Api) -> None:
    """Signing in ignores all credentials except those in the body."""
    await api.user("ann")
    body = {"username": "ann", "password": PASSWORD}
    stale = {"Cookie": "picshare_access=stale"}
    (await api.visitor.call("POST", "/tokens", json=body, headers=stale)).expect(201)
    (await api.visitor.call("GET", "/photos", headers=stale)).expect(401)


async def test_a_refresh_needs_a_token(api: Api) -> None:
    """Without a token in the body or a cookie the response says so, and asks for no CSRF token."""
    problem = (await api.visitor.call("POST", "/tokens/refresh", json={})).expect(401)
    assert problem["code"] == "refresh_token_missing"


async def test_only_bearer_tokens_are_read(api: Api) -> None:
    """A valid access token under another scheme is refused, and the scheme's case does not matter."""
    ann = await api.user()
    for scheme, status in (("Basic", 401), ("Token", 401), ("bearer", 200), ("BEARER", 200)):
        headers = {"Authorization": f"{scheme} {ann.token}"}
        (await api.visitor.call("GET", "/users/me", headers=headers)).expect(status)
