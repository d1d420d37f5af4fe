"""The authorization server: an unmodified client, and everything that must not work."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest

from server.identity.opaque_tokens import TokenKind, new_token
from storage import events, ids
from tests.support.api import Api, InspectableServices, running_api, with_limits
from tests.support.api_user import PASSWORD, ApiUser
from tests.support.oauth import (
    CHALLENGE,
    REDIRECT_URI,
    VERIFIER,
    AuthlibClient,
    answer,
    code_for,
    exchange,
    parameters_of,
    post,
    query_of,
    register,
    with_token,
)

pytestmark = pytest.mark.engines

Application = dict[str, Any]


async def scene(api: Api, **fields: Any) -> tuple[ApiUser, Application]:
    """Return a user, and an application of another one."""
    dev, ann = await api.user(), await api.user()
    return ann, await register(dev, **fields)


async def test_an_unmodified_client_gets_refreshes_and_revokes_tokens(api: Api) -> None:
    """Authlib finds the endpoints by the metadata, and uses code and PKCE, the refresh token and the revocation."""
    ann, application = await scene(api, refreshes=True)
    async with api.session.get(f"{api.url}/.well-known/oauth-authorization-server") as response:
        server = await response.json()
    assert server["issuer"] == api.services.settings.public_url
    endpoints = {name: api.url + urlsplit(url).path for name, url in server.items() if name.endswith("_endpoint")}
    client = AuthlibClient(
        api,
        application,
        code_challenge_method="S256",
        token_endpoint_auth_method="client_secret_basic",
        revocation_endpoint_auth_method="client_secret_basic",
    )
    url, state = client.session.create_authorization_url(endpoints["authorization_endpoint"], code_verifier=VERIFIER)
    approved = (await answer(ann, urlsplit(url).query)).expect(201)["redirect_to"]
    assert parameters_of(approved)["iss"] == server["issuer"]
    first = await client.call(
        client.session.fetch_token,
        endpoints["token_endpoint"],
        authorization_response=approved,
        state=state,
        code_verifier=VERIFIER,
    )
    assert (first["token_type"], first["expires_in"], first["scope"]) == ("Bearer", 3600, "read write:likes")
    assert (await with_token(api, ann, first).call("GET", "/users/me")).expect(200)["id"] == ann.id
    second = await client.call(client.session.refresh_token, endpoints["token_endpoint"], first["refresh_token"])
    assert {first["access_token"], first["refresh_token"]}.isdisjoint({second["access_token"], second["refresh_token"]})
    (await with_token(api, ann, second).call("GET", "/feed")).expect(200)
    revoked = await client.call(
        client.session.revoke_token, endpoints["revocation_endpoint"], second["refresh_token"], "refresh_token"
    )
    assert revoked.status_code == 200
    for tokens in (first, second):
        (await with_token(api, ann, tokens).call("GET", "/users/me")).expect(401)
    assert (await post(api, "/oauth/token", **refresh_form(application, second["refresh_token"]))).status == 400


def refresh_form(application: Application, token: str) -> dict[str, Any]:
    """Return the form of a refresh."""
    return {
        "grant_type": "refresh_token",
        "refresh_token": token,
        "client_id": application["client_id"],
        "client_secret": application["client_secret"],
    }


async def test_the_token_of_a_plain_application_does_not_expire(api: Api) -> None:
    """As Mastodon's clients expect: no expiry, no refresh token; its scopes are those that the user has approved."""
    ann, application = await scene(api)
    issued = (await exchange(api, application, await code_for(ann, application, scope="read:photos"))).expect(200)
    assert set(issued) == {"access_token", "token_type", "scope", "created_at"}
    assert issued["scope"] == "read:photos"
    assert await api.services.db.fetchval("SELECT coalesce(expires_at, refresh_expires_at) FROM api_tokens") is None
    client = with_token(api, ann, issued)
    (await client.call("GET", "/photos")).expect(200)
    assert (await client.call("GET", "/notifications")).expect(403)["code"] == "insufficient_scope"


async def test_the_page_shows_what_is_asked_for(api: Api) -> None:
    """The application, its website's host, the scopes in words, and the host that gets the answer."""
    ann, application = await scene(api)
    shown = (await ann.call("GET", f"/oauth/authorization?{query_of(application)}")).expect(200)
    assert (shown["application"]["name"], shown["application"]["website_host"]) == ("Frames", "app.example")
    assert [scope["name"] for scope in shown["scopes"]] == ["read", "write:likes"]
    assert all(scope["description"] for scope in shown["scopes"])
    assert (shown["returns_to"], shown["redirect_to"]) == ("app.example", None)


async def test_an_empty_scope_is_that_of_a_request_without_one(api: Api) -> None:
    """An application never gets a token that permits nothing."""
    ann, application = await scene(api)
    for scope in (None, "", " "):
        query = query_of(application, scope=scope)
        asked = (await ann.call("GET", f"/oauth/authorization?{query}")).expect(200)
        assert [each["name"] for each in asked["scopes"]] == ["read"]


async def test_the_user_is_notified_of_a_connected_application(api: Api) -> None:
    """So a stolen session cannot leave access behind that outlasts it, unnoticed; a denial is no news."""
    ann, application = await scene(api)
    (await answer(ann, query_of(application), approve=False)).expect(201)
    taken = "DELETE FROM outbox WHERE topic = 'security.noticed' RETURNING topic, body"
    assert await api.services.db.fetch(taken) == []
    (await answer(ann, query_of(application))).expect(201)
    [row] = await api.services.db.fetch(taken)
    noticed = events.decode(row["topic"], row["body"])
    assert isinstance(noticed, events.SecurityNoticed)
    assert (noticed.user_id, noticed.event) == (ids.decode(ann.id), "application_connected")


async def test_a_user_denies(api: Api) -> None:
    """The application is informed with its state and the issuer, and gets no code."""
    ann, application = await scene(api)
    denied = (await answer(ann, query_of(application), approve=False)).expect(201)
    assert denied["redirect_to"].startswith(REDIRECT_URI + "?")
    given = parameters_of(denied["redirect_to"])
    issuer = api.services.settings.public_url
    assert given == {"error": "access_denied", "state": "s t&te", "iss": issuer}


NOT_REGISTERED = (
    "https://evil.example/callback",
    "https://app.example/callback/../other",
    "https://app.example/callback?next=https://evil.example",
    "https://app.example/callback#",
    "https://app.example@evil.example/callback",
    "https://app.example/Callback",
    "https://app.example/callback/",
    "https://app.example.evil.example/callback",
    "http://app.example/callback",
    "//app.example/callback",
    "https://app.example\\@evil.example/callback",
    "https://app.example/call%62ack",
    "javascript:alert(1)",
    "\u0000https://app.example/callback",
    None,
)


async def test_no_request_is_redirected_to_what_is_not_registered(api: Api) -> None:
    """The user sees an error instead, whether the request is read, approved or denied."""
    ann, application = await scene(api, redirect_uris=[REDIRECT_URI, "https://app.example/other"])
    for redirect_uri in NOT_REGISTERED:
        query = query_of(application, redirect_uri=redirect_uri)
        for response in (
            await ann.call("GET", f"/oauth/authorization?{query}"),
            await answer(ann, query),
            await answer(ann, query, approve=False),
        ):
            problem = response.expect(400)
            assert (problem["code"], problem["error"]) == ("authorization_invalid", "invalid_request"), redirect_uri
            assert "Location" not in response.headers


async def test_an_unknown_application_is_not_redirected(api: Api) -> None:
    """There is no redirect URI that could be trusted."""
    ann, application = await scene(api)
    for client_id in ("", "x", ids.encode(7), "../" * 4, "\u0000" * 13):
        query = query_of(application, client_id=client_id)
        assert (await ann.call("GET", f"/oauth/authorization?{query}")).expect(400)["error"] == "invalid_client"


WRONG_REQUESTS: tuple[tuple[dict[str, str | None], str], ...] = (
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": None}, "unsupported_response_type"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"scope": "read admin:write"}, "invalid_scope"),
    ({"scope": "write"}, "invalid_scope"),
    ({"scope": "moderation"}, "invalid_scope"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge": "too-short"}, "invalid_request"),
    ({"code_challenge": CHALLENGE + "="}, "invalid_request"),
    ({"state": "x" * 2001}, "invalid_request"),
)


async def test_other_errors_are_reported_to_the_application(api: Api) -> None:
    """At its redirect URI, with the state (RFC 6749, section 4.1.2.1); approving does not help."""
    ann, application = await scene(api)
    for changed, error in WRONG_REQUESTS:
        query = query_of(application, **changed)
        asked = (await ann.call("GET", f"/oauth/authorization?{query}")).expect(200)
        assert (asked["application"], asked["returns_to"]) == (None, "app.example")
        assert asked["problem"]
        redirect_to = asked["redirect_to"]
        assert redirect_to.startswith(REDIRECT_URI + "?")
        given = parameters_of(redirect_to)
        assert (given["error"], given["state"]) == (error, changed.get("state", "s t&te"))
        assert "code" not in given
        assert (await answer(ann, query)).expect(400)["error"] == error


async def test_parameters_are_not_given_twice(api: Api) -> None:
    """Of two, two programs could each read another one."""
    ann, application = await scene(api)
    for twice in ("redirect_uri=https://evil.example/", f"client_id={application['client_id']}", "scope=read"):
        query = f"{query_of(application)}&{twice}"
        assert (await answer(ann, query)).expect(400)["error"] == "invalid_request", twice


async def test_a_request_needs_a_session_of_the_user(api: Api) -> None:
    """Neither visitors nor applications approve, and a browser needs the CSRF token."""
    ann, application = await scene(api)
    (await api.visitor.call("GET", f"/oauth/authorization?{query_of(application)}")).expect(401)
    tokens = (await exchange(api, application, await code_for(ann, application))).expect(200)
    client = with_token(api, ann, tokens)
    assert (await answer(client, query_of(application))).expect(403)["code"] == "session_required"
    cookies = {"picshare_access": ann.token}
    body = {"request": query_of(application), "approve": True}
    async with api.session.post(f"{api.url}/api/v1/oauth/authorization", json=body, cookies=cookies) as response:
        assert (response.status, (await response.json())["code"]) == (403, "csrf_token_missing")


async def test_a_code_is_exchanged_once_and_a_replay_ends_its_tokens(api: Api) -> None:
    """Also of two exchanges at the same moment, one succeeds; afterwards its token is refused at once."""
    ann, application = await scene(api)
    code = await code_for(ann, application)
    issued = (await exchange(api, application, code)).expect(200)
    client = with_token(api, ann, issued)
    (await client.call("GET", "/users/me")).expect(200)
    assert (await exchange(api, application, code)).expect(400)["error"] == "invalid_grant"
    assert (await client.call("GET", "/users/me")).expect(401)["code"] == "session_revoked"
    # For good, and not only until Redis forgets it.
    ended = "SELECT count(*) FROM sessions WHERE by_token AND revoked_at IS NOT NULL"
    assert await api.services.db.fetchval(ended) == 1

    code = await code_for(ann, application)
    answers = await asyncio.gather(*(exchange(api, application, code) for _ in range(4)))
    assert sorted(each.status for each in answers) == [200, 400, 400, 400]


async def test_a_code_of_another_application_is_refused_and_stays_valid(api: Api) -> None:
    """An attacker gets no token for a code that was injected, and cannot end the tokens of the right application."""
    ann, application = await scene(api)
    other = await register(await api.user(), name="Mixed up")
    code = await code_for(ann, application)
    assert (await exchange(api, other, code)).expect(400)["error"] == "invalid_grant"
    issued = (await exchange(api, application, code)).expect(200)
    assert (await exchange(api, other, code)).expect(400)["error"] == "invalid_grant"
    (await with_token(api, ann, issued).call("GET", "/users/me")).expect(200)


UNBOUND: tuple[tuple[dict[str, str | None], dict[str, str | None]], ...] = (
    ({}, {"code_verifier": None}),
    ({}, {"code_verifier": "x" * 43}),
    ({}, {"code_verifier": CHALLENGE}),
    ({}, {"redirect_uri": "https://app.example/other"}),
    ({"code_challenge": None, "code_challenge_method": None}, {}),
    ({"code_challenge": None, "code_challenge_method": None}, {"code_verifier": None, "redirect_uri": None}),
)


async def test_a_code_is_bound_to_its_request(api: Api) -> None:
    """To the challenge, to its absence (a downgrade), and to the redirect URI."""
    ann, application = await scene(api)
    for asked, sent in UNBOUND:
        code = await code_for(ann, application, **asked)
        assert (await exchange(api, application, code, **sent)).expect(400)["error"] == "invalid_grant", (asked, sent)


async def test_a_code_with_pkce_is_exchanged_without_its_redirect_uri(api: Api) -> None:
    """OAuth 2.1 leaves it out, since the challenge binds the code to the request."""
    ann, application = await scene(api)
    code = await code_for(ann, application)
    (await exchange(api, application, code, redirect_uri=None)).expect(200)


async def test_a_confidential_application_may_do_without_pkce(api: Api) -> None:
    """Many clients of Mastodon do; the secret and the redirect URI bind the code."""
    ann, application = await scene(api)
    code = await code_for(ann, application, code_challenge=None, code_challenge_method=None)
    (await exchange(api, application, code, code_verifier=None)).expect(200)


async def test_a_public_application_needs_pkce_and_has_no_secret(api: Api) -> None:
    """The redirect URI on a loopback address may have any port (RFC 8252)."""
    ann, application = await scene(api, confidential=False, redirect_uris=["http://127.0.0.1/callback"])
    assert application["client_secret"] is None
    local = "http://127.0.0.1:49152/callback"
    bare = query_of(application, redirect_uri=local, code_challenge=None, code_challenge_method=None)
    redirect_to = (await ann.call("GET", f"/oauth/authorization?{bare}")).expect(200)["redirect_to"]
    assert parameters_of(redirect_to)["error"] == "invalid_request"
    code = await code_for(ann, application, redirect_uri=local)
    refused = await exchange(api, application, code, redirect_uri=local, client_secret="x")
    assert refused.expect(401)["error"] == "invalid_client"
    (await exchange(api, application, code, redirect_uri=local)).expect(200)


async def test_a_code_expires(api: Api) -> None:
    """After a minute it is refused."""
    ann, application = await scene(api)
    code = await code_for(ann, application)
    query = "SELECT extract(epoch FROM expires_at - created_at)::float8 FROM oauth_codes WHERE user_id = $1"
    assert 55 < await api.services.db.fetchval(query, ids.decode(ann.id)) < 65
    await api.services.db.fetch("UPDATE oauth_codes SET expires_at = now()")
    assert (await exchange(api, application, code)).expect(400)["error"] == "invalid_grant"


async def test_a_code_is_of_no_use_once_the_account_is_suspended(api: Api) -> None:
    """The account is checked with the exchange."""
    ann, application = await scene(api)
    code = await code_for(ann, application)
    await api.services.db.fetch("UPDATE users SET suspended_at = now() WHERE id = $1", ids.decode(ann.id))
    assert (await exchange(api, application, code)).expect(400)["error"] == "invalid_grant"


async def test_the_applications_of_a_suspended_account_stop_and_go_on_when_it_is_restored(api: Api) -> None:
    """Their developer may do nothing; so may not the programs. A process remembers a token for some minutes."""
    dev, ann = await api.user(), await api.user()
    application = await register(dev)
    issued = (await exchange(api, application, await code_for(ann, application))).expect(200)
    code = await code_for(ann, application)
    change = "UPDATE users SET suspended_at = {} WHERE id = $1"
    await api.services.db.fetch(change.format("now()"), ids.decode(dev.id))
    assert (await exchange(api, application, code)).expect(401)["error"] == "invalid_client"
    assert (await answer(ann, query_of(application))).expect(400)["error"] == "invalid_client"
    assert (await with_token(api, ann, issued).call("GET", "/users/me")).expect(401)["code"] == "invalid_token"
    await api.services.db.fetch(change.format("NULL"), ids.decode(dev.id))
    (await exchange(api, application, code)).expect(200)
    (await with_token(api, ann, issued).call("GET", "/users/me")).expect(200)


async def test_a_code_is_of_no_use_after_the_end_of_all_access(api: Api) -> None:
    """A thief of a session cannot keep a code for the time after the password was reset, or the app disconnected."""
    ann, application = await scene(api)
    (await exchange(api, application, await code_for(ann, application))).expect(200)
    code = await code_for(ann, application)
    (await ann.call("DELETE", f"/users/me/applications/{application['client_id']}")).expect(204)
    assert (await exchange(api, application, code)).expect(400)["error"] == "invalid_grant"
    code = await code_for(ann, application)
    body = {"current_password": PASSWORD, "new_password": "staple battery horse", "end_apps": True}
    (await ann.call("PATCH", "/users/me/password", json=body)).expect(204)
    assert (await exchange(api, application, code)).expect(400)["error"] == "invalid_grant"


async def test_a_code_is_copied_where_there_is_no_redirect(api: Api) -> None:
    """The page shows it, and it is valid for ten minutes."""
    oob = "urn:ietf:wg:oauth:2.0:oob"
    ann, application = await scene(api, redirect_uris=[oob])
    approved = (await answer(ann, query_of(application, redirect_uri=oob))).expect(201)
    assert approved["redirect_to"] is None
    lifetime = "SELECT extract(epoch FROM expires_at - created_at)::float8 FROM oauth_codes"
    assert 595 < await api.services.db.fetchval(lifetime) < 605
    (await exchange(api, application, approved["code"], redirect_uri=oob)).expect(200)
    denied = (await answer(ann, query_of(application, redirect_uri=oob), approve=False)).expect(201)
    assert denied == {"redirect_to": None, "code": None}
    wrong = await ann.call("GET", f"/oauth/authorization?{query_of(application, redirect_uri=oob, scope='push')}")
    assert wrong.expect(400)["error"] == "invalid_scope"


async def test_a_refresh_token_is_used_once_and_a_replay_ends_all(api: Api) -> None:
    """The server cannot know which of the two users of the token is the thief; other applications cannot use it."""
    ann, application = await scene(api, refreshes=True)
    other = await register(await api.user())
    first = (await exchange(api, application, await code_for(ann, application))).expect(200)
    stolen = await post(api, "/oauth/token", **refresh_form(other, first["refresh_token"]))
    assert stolen.expect(400)["error"] == "invalid_grant"
    second = (await post(api, "/oauth/token", **refresh_form(application, first["refresh_token"]))).expect(200)
    (await with_token(api, ann, second).call("GET", "/users/me")).expect(200)
    replay = await post(api, "/oauth/token", **refresh_form(application, first["refresh_token"]))
    assert replay.expect(400)["error"] == "invalid_grant"
    assert (await with_token(api, ann, second).call("GET", "/users/me")).expect(401)["code"] == "session_revoked"
    again = await post(api, "/oauth/token", **refresh_form(application, second["refresh_token"]))
    assert again.expect(400)["error"] == "invalid_grant"


async def test_a_refresh_keeps_the_scope(api: Api) -> None:
    """It cannot be widened, or narrowed by mistake."""
    ann, application = await scene(api, refreshes=True)
    first = (await exchange(api, application, await code_for(ann, application, scope="read:photos"))).expect(200)
    form = refresh_form(application, first["refresh_token"])
    assert (await post(api, "/oauth/token", **form, scope="read")).expect(400)["error"] == "invalid_scope"
    assert (await post(api, "/oauth/token", **form, scope="read:photos")).expect(200)["scope"] == "read:photos"


async def test_a_token_that_refreshes_goes_on_after_the_registration_was_changed(api: Api) -> None:
    """An application that does not ask for refresh tokens any more keeps those that it has, and gets the next ones."""
    dev, ann = await api.user(), await api.user()
    application = await register(dev, refreshes=True)
    first = (await exchange(api, application, await code_for(ann, application))).expect(200)
    fields = ("name", "website", "redirect_uris", "scopes")
    changed = {name: application[name] for name in fields} | {"refreshes": False}
    (await dev.call("PUT", f"/oauth/applications/{application['client_id']}", json=changed)).expect(200)
    second = (await post(api, "/oauth/token", **refresh_form(application, first["refresh_token"]))).expect(200)
    (await post(api, "/oauth/token", **refresh_form(application, second["refresh_token"]))).expect(200)
    plain = (await exchange(api, application, await code_for(ann, application))).expect(200)
    assert "refresh_token" not in plain


async def test_a_request_without_a_redirect_uri_means_the_only_one(api: Api) -> None:
    """With several registered ones it has to name one of them."""
    ann, application = await scene(api)
    approved = (await answer(ann, query_of(application, redirect_uri=None))).expect(201)
    assert approved["redirect_to"].startswith(REDIRECT_URI + "?")
    other = await register(await api.user(), redirect_uris=[REDIRECT_URI, "app:/x"])
    refused = await answer(ann, query_of(other, redirect_uri=None))
    assert refused.expect(400)["error"] == "invalid_request"


async def test_the_end_of_an_application_s_access_spares_the_codes_of_others(api: Api) -> None:
    """Other users in the same shard, and other applications of the user, exchange theirs."""
    ann, application = await scene(api)
    other = await register(await api.user())
    ben = await api.user()
    (await exchange(api, application, await code_for(ann, application))).expect(200)
    codes = [await code_for(ann, other), await code_for(ben, application)]
    # The shard of an account is random, so one of two users is put into that of the other.
    ann_id, ben_id = ids.decode(ann.id), ids.decode(ben.id)
    await api.services.db.fetch("UPDATE oauth_codes SET shard = $1 WHERE user_id = $2", ids.shard_of(ann_id), ben_id)
    (await ann.call("DELETE", f"/users/me/applications/{application['client_id']}")).expect(204)
    assert await api.services.db.fetchval("SELECT count(*) FROM oauth_codes WHERE used_at IS NULL") == 2
    (await exchange(api, other, codes[0])).expect(200)


async def test_an_application_has_tokens_of_its_own(api: Api) -> None:
    """They act for no user, so they permit what visitors may; a public application has none."""
    ann, application = await scene(api)
    public = await register(await api.user(), confidential=False)
    form: dict[str, Any] = {"grant_type": "client_credentials", "scope": "read"}
    credentials = (application["client_id"], application["client_secret"])
    issued = (await post(api, "/oauth/token", auth=credentials, **form)).expect(200)
    client = with_token(api, ann, issued)
    # Otherwise an application without a user would be deleted as one that was never used.
    used = "SELECT last_used_at IS NOT NULL FROM oauth_clients WHERE id = $1"
    assert await api.services.db.fetchval(used, ids.decode(application["client_id"]))
    (await client.call("GET", "/photos/trending")).expect(200)
    (await client.call("GET", "/users/me")).expect(401)
    refused = await post(api, "/oauth/token", client_id=public["client_id"], **form)
    assert refused.expect(400)["error"] == "unauthorized_client"
    wide = await post(api, "/oauth/token", auth=credentials, grant_type="client_credentials", scope="write")
    assert wide.expect(400)["error"] == "invalid_scope"
    (await post(api, "/oauth/revoke", auth=credentials, token=issued["access_token"])).expect(200)
    (await client.call("GET", "/photos/trending")).expect(401)


async def test_an_application_authenticates_in_one_way(api: Api) -> None:
    """A wrong secret is a 401, by the header with a challenge; both ways at once are refused."""
    _, application = await scene(api)
    name, secret = application["client_id"], application["client_secret"]
    form: dict[str, Any] = {"grant_type": "client_credentials"}
    wrong = await post(api, "/oauth/token", auth=(name, "wrong"), **form)
    assert wrong.expect(401)["error"] == "invalid_client"
    assert wrong.headers["WWW-Authenticate"].startswith("Basic")
    wrong_ones: list[dict[str, Any]] = [
        {"client_id": name},
        {"client_id": name, "client_secret": "x"},
        {"client_id": "x"},
    ]
    for fields in wrong_ones:
        refused = (await post(api, "/oauth/token", **form, **fields)).expect(401)
        assert (set(refused), refused["error"]) == ({"error", "error_description"}, "invalid_client")
    both = await post(api, "/oauth/token", auth=(name, secret), client_secret=secret, **form)
    assert both.expect(400)["error"] == "invalid_request"
    other = await post(api, "/oauth/token", auth=(name, secret), client_id=ids.encode(7), **form)
    assert other.expect(400)["error"] == "invalid_request"
    done = await post(api, "/oauth/token", auth=(name, secret), **form)
    assert done.expect(200)["scope"] == "read"
    assert (done.headers["Cache-Control"], done.headers["Pragma"]) == ("no-store", "no-cache")


async def test_malformed_requests_for_tokens(api: Api) -> None:
    """Each has an error of RFC 6749 that says what to send; nothing secret is taken from the URL."""
    _, application = await scene(api)
    name, secret = application["client_id"], application["client_secret"]
    identified: dict[str, Any] = {"client_id": name, "client_secret": secret}
    forms: tuple[tuple[dict[str, Any], str], ...] = (
        ({}, "unsupported_grant_type"),
        ({"grant_type": "password", "username": "ann", "password": "x"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
        ({"grant_type": "client_credentials", "scope": "x"}, "invalid_scope"),
    )
    for form, error in forms:
        assert (await post(api, "/oauth/token", **identified, **form)).expect(400)["error"] == error
    url = f"{api.url}/oauth/token"
    grant = f"grant_type=client_credentials&client_id={name}&client_secret={secret}"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for address, options in (
        (url, {"json": [identified]}),
        (f"{url}?{grant}", {"data": b"", "headers": kind}),
        (url, {"data": f"{grant}&scope=read&scope=write", "headers": kind}),
        (url, {"data": b"\xff=\xff", "headers": kind}),
        (url, {"data": "&".join(f"a{n}=1" for n in range(60)), "headers": kind}),
    ):
        async with api.session.post(address, **options) as response:
            assert (response.status, (await response.json())["error"]) == (400, "invalid_request")
    async with api.session.post(url, data={"code": "x" * 20_000}) as response:
        assert response.status == 413


async def test_an_application_revokes_only_its_own_tokens(api: Api) -> None:
    """An unknown token is revoked already (RFC 7009); another application is refused."""
    ann, application = await scene(api)
    other = await register(await api.user())
    issued = (await exchange(api, application, await code_for(ann, application))).expect(200)
    credentials, others = (
        (application["client_id"], application["client_secret"]),
        (other["client_id"], other["client_secret"]),
    )
    refused = await post(api, "/oauth/revoke", auth=others, token=issued["access_token"])
    assert refused.expect(400)["error"] == "unauthorized_client"
    unknown = new_token(TokenKind.ACCESS, 7)
    for token in ("x", unknown, issued["access_token"][:-1] + "A", issued["access_token"], issued["access_token"]):
        (await post(api, "/oauth/revoke", auth=credentials, token=token)).expect(200)
    (await with_token(api, ann, issued).call("GET", "/users/me")).expect(401)


async def test_an_application_asks_about_its_own_tokens(api: Api) -> None:
    """Of any other token it learns nothing (RFC 7662)."""
    ann, application = await scene(api, refreshes=True)
    other = await register(await api.user())
    issued = (await exchange(api, application, await code_for(ann, application))).expect(200)
    credentials = (application["client_id"], application["client_secret"])
    shown = (await post(api, "/oauth/introspect", auth=credentials, token=issued["access_token"])).expect(200)
    assert (shown["active"], shown["sub"], shown["scope"]) == (True, ann.id, "read write:likes")
    assert shown["exp"] > issued["created_at"]
    others = (other["client_id"], other["client_secret"])
    for auth, token in ((others, issued["access_token"]), (credentials, "x"), (credentials, issued["refresh_token"])):
        assert (await post(api, "/oauth/introspect", auth=auth, token=token)).expect(200) == {"active": False}


async def test_requests_for_tokens_are_limited_by_address(services: InspectableServices) -> None:
    """Guessing secrets and codes is slow."""
    async with running_api(with_limits(services, oauth_address="3/h")) as api:
        for status in (401, 401, 401, 429):
            refused = await post(api, "/oauth/token", client_id="x")
            refused.expect(status)
        assert int(refused.headers["Retry-After"]) >= 1


async def test_the_description_of_the_api_has_the_scopes(api: Api) -> None:
    """Each operation names the scope that a token needs; one that refuses tokens names none."""
    document = (await api.visitor.call("GET", "/openapi.json")).expect(200)
    like = document["paths"]["/api/v1/photos/{id}/like"]["put"]
    assert {"oauth": ["write:likes"]} in like["security"]
    assert not any("oauth" in each for each in document["paths"]["/api/v1/users/me/password"]["patch"]["security"])
    (flow,) = document["components"]["securitySchemes"]["oauth"]["flows"].values()
    assert "write:likes" in flow["scopes"]
