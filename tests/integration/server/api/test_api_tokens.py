"""Opaque tokens at the API: what they permit, and when they end."""

from __future__ import annotations

import time
from typing import Any

import pytest

from channels.contract.errors import TokenInvalidError
from channels.contract.ports import Identity
from server.api.endpoint_scopes import SCOPES, SESSION_ONLY, scope_of
from server.api.table import endpoints
from server.edge.endpoint import Auth
from server.identity.errors import SessionRevokedError
from server.identity.scopes import ANY
from server.live.access import LiveAuthenticator
from storage import ids
from storage.models import Role
from storage.stores.accounts import account_restrictions
from storage.stores.credentials import sessions
from tests.support.api import Api
from tests.support.api_tokens import issue_token
from tests.support.api_user import ApiUser
from tests.support.eventually import eventually

pytestmark = pytest.mark.engines


async def program_of(api: Api, user: ApiUser, *scopes: str) -> ApiUser:
    """Return a client with a token of a user's own."""
    program = ApiUser(api.session, api.url, user.name)
    program.token = await issue_token(api.services.db, ids.decode(user.id), *scopes)
    return program


def live_authenticator(api: Api) -> LiveAuthenticator:
    """Return the authentication of live connections."""
    return LiveAuthenticator(api.services.tokens, api.services.tickets, api.services.api_tokens)


async def session_of(api: Api, program: ApiUser) -> Identity:
    """Return the identity of a token."""
    return await live_authenticator(api).authenticate(program.token)


def test_every_endpoint_has_a_scope_or_refuses_tokens(api: Api) -> None:
    """Both lists have what exists, and nothing else."""
    table = endpoints(api.services)
    for endpoint in table:
        scope_of(endpoint)
    names = {f"{each.method} {each.path}" for each in table if each.auth is not Auth.NONE}
    # GraphQL has a table of its own, and checks the scope of each field.
    by_scope = {name for name, scope in SCOPES.items() if scope != ANY}
    assert by_scope | SESSION_ONLY == names
    assert not set(SCOPES) & SESSION_ONLY


def test_dangerous_steps_refuse_tokens(api: Api) -> None:
    """What needs a proof of identity needs a session in which it was given."""
    for endpoint in endpoints(api.services):
        if endpoint.recent_proof:
            assert scope_of(endpoint) is None, endpoint.path


async def test_a_token_permits_what_its_scopes_name(api: Api) -> None:
    """Anything else is a 403 that names the scope (RFC 6750); the security of the account is never permitted."""
    ann = await api.user()
    reader = await program_of(api, ann, "read:accounts", "read:photos")
    assert (await reader.call("GET", "/users/me")).expect(200)["username"] == ann.name
    (await reader.call("GET", "/feed")).expect(200)
    (await reader.call("GET", "/photos")).expect(200)
    refused = await reader.call("PATCH", "/users/me", json={"bio": "x"})
    problem = refused.expect(403)
    assert (problem["code"], problem["scope"]) == ("insufficient_scope", "write:accounts")
    assert 'error="insufficient_scope", scope="write:accounts"' in refused.headers["WWW-Authenticate"]
    wide = await program_of(api, ann, "read", "write", "follow", "push", "moderation")
    (await wide.call("PATCH", "/users/me", json={"bio": "x"})).expect(200)
    for method, path in (("DELETE", "/users/me"), ("GET", "/users/me/sessions"), ("PATCH", "/users/me/password")):
        assert (await wide.call(method, path)).expect(403)["code"] == "session_required"


async def test_a_revoked_token_is_refused_at_once(api: Api) -> None:
    """As soon as its session has ended: for requests, the home feed, and new live connections."""
    ann = await api.user()
    program = await program_of(api, ann, "read")
    identity = await session_of(api, program)
    (await program.call("GET", "/users/me")).expect(200)
    await api.services.actions.sessions.end(identity.user_id, identity.session)
    for path in ("/users/me", "/feed"):
        assert (await program.call("GET", path)).expect(401)["code"] == "session_revoked"
    with pytest.raises(TokenInvalidError):
        await live_authenticator(api).confirm(identity)
    # Another process, which has not seen the token before, does not find it.
    async with api.services.db.transaction() as tx:
        assert not await sessions.revoke(tx, identity.user_id, identity.session)


async def test_a_token_is_revoked_also_while_redis_is_away(api: Api) -> None:
    """Then the session is looked up in the database."""
    ann = await api.user()
    identity = await session_of(api, await program_of(api, ann, "read"))
    limiter = api.services.limiter
    await limiter.check_user_locally("reads", identity.user_id, identity.session)
    async with api.services.db.transaction() as tx:
        await sessions.revoke(tx, identity.user_id, identity.session)
    with pytest.raises(SessionRevokedError):
        await limiter.check_user_locally("reads", identity.user_id, identity.session)


async def test_the_suspension_of_an_account_ends_its_tokens(api: Api) -> None:
    """A token is not found afterwards, and the session that it had has ended."""
    ann = await api.user()
    program = await program_of(api, ann, "read")
    async with api.services.db.transaction() as tx:
        ended = await account_restrictions.suspend(tx, ids.decode(ann.id))
    assert len(ended) == 2
    (await program.call("GET", "/users/me")).expect(401)


async def test_a_token_of_a_moderator_does_not_moderate_unless_it_is_made_for_it(api: Api) -> None:
    """The scope is needed beside the role, and is of no use without it."""
    mod, ann = await api.user(), await api.user()
    await api.services.db.fetch("UPDATE users SET role = $2 WHERE id = $1", ids.decode(mod.id), Role.MODERATOR.value)
    path = "/moderation/cases"
    (await (await program_of(api, mod, "moderation")).call("GET", path)).expect(200)
    problem = (await (await program_of(api, mod, "read", "write")).call("GET", path)).expect(403)
    assert problem["code"] == "insufficient_scope"
    problem = (await (await program_of(api, ann, "moderation")).call("GET", path)).expect(403)
    assert problem["code"] == "moderator_required"


async def test_live_connections_accept_tokens_that_read(api: Api) -> None:
    """The identity has the scopes, which its operations need; a ticket passes them on."""
    ann = await api.user()
    program, narrow = await program_of(api, ann, "read"), await program_of(api, ann, "read:photos")
    identity = await session_of(api, program)
    assert identity.scopes is not None
    assert "read:notifications" in identity.scopes
    assert identity.expires_at > time.time() + 80_000
    with pytest.raises(TokenInvalidError, match="scope read"):
        await session_of(api, narrow)
    ticket: dict[str, Any] = (await program.call("POST", "/live/token")).expect(201)
    redeemed = await live_authenticator(api).authenticate(ticket["token"])
    assert (redeemed.scopes, redeemed.session) == (identity.scopes, identity.session)


async def test_the_use_of_a_token_is_recorded(api: Api) -> None:
    """Once in a while, without a delay of the request."""
    ann = await api.user()
    program = await program_of(api, ann, "read")
    (await program.call("GET", "/users/me")).expect(200)
    query = "SELECT count(*) FROM api_tokens WHERE user_id = $1 AND last_used_at IS NOT NULL"

    async def recorded() -> bool:
        return bool(await api.services.db.fetchval(query, ids.decode(ann.id)))

    await eventually(recorded)
