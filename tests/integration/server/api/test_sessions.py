"""Signing up, in and out; renewing tokens; the session in a browser's cookies."""

from __future__ import annotations

import asyncio
from http.cookies import SimpleCookie
from typing import Any

import pytest

from channels.bus.addressing import channel_prefix, registry_key, user_field
from channels.bus.envelope import DisconnectOrder, decode_envelope
from storage import ids
from storage.ids import slot_group
from storage.redis.client import Redis
from tests.support.api import Api
from tests.support.driver_commands import commands, driver_client
from tests.support.person import Response

pytestmark = pytest.mark.engines

PASSWORD = "correct horse battery"


def cookies_of(answer: Response) -> SimpleCookie:
    """Return the cookies that an answer sets."""
    jar = SimpleCookie()
    for header in answer.headers.getall("Set-Cookie"):  # type: ignore[attr-defined]
        jar.load(header)
    return jar


def as_header(jar: SimpleCookie) -> dict[str, str]:
    """Return the Cookie header of a browser that holds these."""
    return {"Cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())}


async def sign_in_with_cookies(api: Api, name: str) -> SimpleCookie:
    """Sign in as the web application does."""
    body = {"username": name, "password": PASSWORD, "cookie": True}
    answer = await api.visitor.call("POST", "/tokens", json=body)
    told = answer.expect(201)
    assert "access_token" not in told
    assert "refresh_token" not in told
    return cookies_of(answer)


async def test_sign_up_answers_the_account_and_tokens(api: Api) -> None:
    """Whoever signs up is signed in."""
    body = {"username": "Ann", "email": "ann@example.org", "password": PASSWORD, "display_name": "Ann B."}
    told = (await api.visitor.call("POST", "/users", json=body)).expect(201)
    assert told["user"]["username"] == "Ann"
    assert told["user"]["email"] == "ann@example.org"
    assert told["expires_in"] == 900
    me = await api.visitor.call("GET", "/users/me", headers={"Authorization": f"Bearer {told['access_token']}"})
    assert me.expect(200)["display_name"] == "Ann B."


async def test_a_taken_name_is_a_conflict_that_names_the_field(api: Api) -> None:
    """Usernames and e-mail addresses are unique in any case, and the answer says which is taken."""
    await api.person("ann")
    taken = {"username": "ANN", "email": "x@example.org", "password": PASSWORD}
    problem = (await api.visitor.call("POST", "/users", json=taken)).expect(409)
    assert problem["code"] == "username_taken"
    assert problem["errors"][0]["field"] == "username"
    other = {"username": "other", "email": "ANN@picshare.example", "password": PASSWORD}
    assert (await api.visitor.call("POST", "/users", json=other)).expect(409)["code"] == "email_taken"


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


async def test_bad_input_is_refused_with_the_field_s_name(api: Api) -> None:
    """What does not fit is a 422 that names the field."""
    for field, value in BAD_INPUT:
        body = {"username": "ann", "email": "ann@example.org", "password": PASSWORD} | {field: value}
        problem = (await api.visitor.call("POST", "/users", json=body)).expect(422)
        assert problem["code"] == "invalid_input", value
        assert [item["field"] for item in problem["errors"]] == [field]


async def test_people_sign_in_by_name_or_address(api: Api) -> None:
    """A username in any case and an e-mail address both open the account."""
    await api.person("ann")
    for login in ("ann", "ANN", "ann@picshare.example"):
        told = (await api.visitor.call("POST", "/tokens", json={"username": login, "password": PASSWORD})).expect(201)
        assert told["user"]["username"] == "ann"


async def test_a_refresh_token_is_good_once(api: Api) -> None:
    """A second use of a refresh token ends the session, whoever it was."""
    await api.person("ann")
    first = (await api.visitor.call("POST", "/tokens", json={"username": "ann", "password": PASSWORD})).expect(201)
    body = {"refresh_token": first["refresh_token"]}
    second = (await api.visitor.call("POST", "/tokens/refresh", json=body)).expect(201)
    (await api.visitor.call("POST", "/tokens/refresh", json=body)).expect(401)
    newest = {"refresh_token": second["refresh_token"]}
    (await api.visitor.call("POST", "/tokens/refresh", json=newest)).expect(401)
    headers = {"Authorization": f"Bearer {second['access_token']}"}
    assert (await api.visitor.call("GET", "/users/me", headers=headers)).expect(401)["code"] == "session_revoked"


async def test_of_two_refreshes_at_once_one_wins(api: Api) -> None:
    """A refresh token that is used twice at the same moment gives one new pair, not two."""
    await api.person("ann")
    told = (await api.visitor.call("POST", "/tokens", json={"username": "ann", "password": PASSWORD})).expect(201)
    body = {"refresh_token": told["refresh_token"]}
    answers = await asyncio.gather(*(api.visitor.call("POST", "/tokens/refresh", json=body) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 401, 401, 401, 401]


async def test_sign_out_refuses_the_access_token_at_once(api: Api) -> None:
    """After signing out the token is refused everywhere, the feed included, and refreshing fails."""
    ann = await api.person()
    (await ann.call("GET", "/feed")).expect(200)
    (await ann.call("DELETE", "/tokens/current")).expect(204)
    for path in ("/users/me", "/feed"):
        problem = (await ann.call("GET", path)).expect(401)
        assert problem["code"] == "session_revoked"


async def test_sign_out_tells_the_live_processes(api: Api, redis: Redis) -> None:
    """The processes that hold this person's connections hear which session ended."""
    ann = await api.person()
    user_id = ids.decode(ann.id)
    group = slot_group(user_id)
    await commands(redis).hset(registry_key(group), user_field(user_id), b"abcdefgh")
    async with driver_client(redis) as driver, driver.pubsub() as pubsub:
        await pubsub.subscribe(channel_prefix(group) + b"abcdefgh")
        await pubsub.get_message(timeout=5)
        (await ann.call("DELETE", "/tokens/current")).expect(204)
        message: dict[str, Any] | None = await pubsub.get_message(ignore_subscribe_messages=True, timeout=5)
    assert message is not None
    envelope = decode_envelope(message["data"])
    assert envelope.user_ids == (user_id,)
    assert envelope.body == DisconnectOrder(api.tokens.verify(ann.token).session)


async def test_another_session_of_the_same_person_stays(api: Api) -> None:
    """Signing out on one device leaves the other alone."""
    ann = await api.person("ann")
    told = (await api.visitor.call("POST", "/tokens", json={"username": "ann", "password": PASSWORD})).expect(201)
    (await ann.call("DELETE", "/tokens/current")).expect(204)
    headers = {"Authorization": f"Bearer {told['access_token']}"}
    (await api.visitor.call("GET", "/users/me", headers=headers)).expect(200)


async def test_a_deleted_account_is_gone_and_its_name_free(api: Api) -> None:
    """Deleting an account ends its sessions and frees its name."""
    ann = await api.person("ann")
    (await ann.call("DELETE", "/users/me")).expect(202)
    (await ann.call("GET", "/users/me")).expect(401)
    (await api.visitor.call("GET", "/users/ann")).expect(404)
    (await api.visitor.call("POST", "/tokens", json={"username": "ann", "password": PASSWORD})).expect(401)
    await api.person("ann")


async def test_cookies_are_out_of_reach_of_scripts_and_sites(api: Api) -> None:
    """The tokens' cookies are HttpOnly and SameSite=Lax; only the CSRF value can be read by the page."""
    await api.person("ann")
    jar = await sign_in_with_cookies(api, "ann")
    for name, readable in (("picshare_access", False), ("picshare_refresh", False), ("picshare_csrf", True)):
        assert jar[name]["samesite"] == "Lax"
        assert bool(jar[name]["httponly"]) is not readable
        assert not jar[name]["secure"]  # this service is reached over http
    assert jar["picshare_refresh"]["path"] == "/api/v1/tokens"


async def test_a_cookie_session_reads_renews_and_ends(api: Api) -> None:
    """A browser lives on cookies alone: it reads, renews its tokens, and signs out."""
    await api.person("ann")
    jar = await sign_in_with_cookies(api, "ann")
    (await api.visitor.call("GET", "/users/me", headers=as_header(jar))).expect(200)
    proof = {"X-CSRF-Token": jar["picshare_csrf"].value}
    renewal = await api.visitor.call("POST", "/tokens/refresh", headers=as_header(jar) | proof)
    told = renewal.expect(201)
    assert "access_token" not in told
    jar = cookies_of(renewal)
    proof = {"X-CSRF-Token": jar["picshare_csrf"].value}
    ended = await api.visitor.call("DELETE", "/tokens/current", headers=as_header(jar) | proof)
    ended.expect(204)
    assert all(morsel["max-age"] == "0" for morsel in cookies_of(ended).values())
    (await api.visitor.call("GET", "/users/me", headers=as_header(jar))).expect(401)


async def test_a_stale_cookie_does_not_keep_one_from_signing_in(api: Api) -> None:
    """Signing in looks at no credentials but those in the body."""
    await api.person("ann")
    body = {"username": "ann", "password": PASSWORD}
    stale = {"Cookie": "picshare_access=stale"}
    (await api.visitor.call("POST", "/tokens", json=body, headers=stale)).expect(201)
    (await api.visitor.call("GET", "/photos", headers=stale)).expect(401)
