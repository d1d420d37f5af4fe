"""Signing up, in and out, and deleting an account: sessions, rate limits and revocations."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from server.actions.sessions import NewSession, SessionService
from server.composition.workers import worker_context
from server.identity.clients import Client
from server.identity.errors import RateLimitedError, RefreshTokenError, SessionRevokedError, WrongCredentialsError
from server.identity.passwords import Passwords
from server.identity.tokens import refresh_digest, refresh_token_shard
from storage import events, ids
from storage.errors import ConflictError, NotFoundError
from storage.limits.tickets import revoked_key
from storage.redis.client import Redis
from storage.stores.accounts import users
from storage.stores.credentials import sessions
from tests.support.api import InspectableServices, with_limits, with_passwords
from tests.support.driver_commands import commands
from workers.jobs.context import open_handlers
from workers.registry import WORKERS

pytestmark = pytest.mark.engines

PASSWORD = "correct horse battery"
HERE = Client(address="192.0.2.1")


async def sign_up(services: InspectableServices, username: str = "ann") -> NewSession:
    """Sign a user up."""
    return await services.actions.accounts.sign_up(
        username=username,
        email=f"{username}@example.org",
        password=PASSWORD,
        display_name="",
        client=HERE,
    )


async def test_signing_up_and_in_opens_sessions(services: InspectableServices) -> None:
    """Both return the account and tokens of a session of their own; the display name defaults to the username."""
    sign_in = services.actions.sign_in
    first = await sign_up(services)
    second = await sign_in.by_password("Ann@example.org", PASSWORD, client=HERE)
    assert first.user.display_name == "ann"
    assert second.user.id == first.user.id
    sessions = {services.tokens.verify(session.tokens.access).session for session in (first, second)}
    assert len(sessions) == 2
    with pytest.raises(ConflictError):
        await sign_up(services)


async def test_signing_in_renews_a_hash_with_other_parameters(services: InspectableServices) -> None:
    """A hash gets today's parameters when its user signs in, and only then."""
    user = (await sign_up(services)).user
    stronger = Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))

    async def encoded() -> str:
        found = await users.credentials(services.stores.db, "ann")
        assert found is not None
        return found[1]

    before = await encoded()
    await services.actions.sign_in.by_password("ann", PASSWORD, client=HERE)
    assert await encoded() == before

    sign_in = with_passwords(services, stronger).actions.sign_in
    with pytest.raises(WrongCredentialsError):
        await sign_in.by_password("ann", "wrong", client=HERE)
    assert await encoded() == before
    await sign_in.by_password("ann", PASSWORD, client=HERE)
    assert "m=16,t=2" in await encoded()
    await sign_in.by_password("ann", PASSWORD, client=HERE)
    async with services.stores.db.transaction() as tx:
        await users.replace_password_hash(tx, user.id, before, "another password's")
    assert "m=16,t=2" in await encoded()


async def test_wrong_credentials_do_not_differ(services: InspectableServices) -> None:
    """An unknown name and a wrong password raise the same error, with the rate limit that they were charged to."""
    await sign_up(services)
    for login, password in (("ann", "wrong"), ("nobody", PASSWORD), ("\0", PASSWORD)):
        with pytest.raises(WrongCredentialsError) as caught:
            await services.actions.sign_in.by_password(login, password, client=HERE)
        assert caught.value.charge.policy.name == "sign_in_address"


async def test_sign_in_is_limited_for_each_account_and_address(services: InspectableServices) -> None:
    """Too many tries on an account are refused from one address, and not from another."""
    limited = with_limits(services, sign_in_account="2/h")
    await sign_up(limited)
    sign_in = limited.actions.sign_in
    for _ in range(2):
        with pytest.raises(WrongCredentialsError):
            await sign_in.by_password("ann", "wrong", client=HERE)
    with pytest.raises(RateLimitedError) as caught:
        await sign_in.by_password("ANN", PASSWORD, client=HERE)
    assert caught.value.charge.policy.name == "sign_in_account"
    assert (await sign_in.by_password("ann", PASSWORD, client=Client(address="192.0.2.2"))).user.username == "ann"


async def test_every_spelling_of_a_login_shares_the_account_s_tries(services: InspectableServices) -> None:
    """Another case and letters that the database folds give no further tries."""
    limited = with_limits(services, sign_in_account="2/h")
    await sign_up(limited, "ingrid")
    sign_in = limited.actions.sign_in
    for login in ("ingrid", "Ingrid"):
        with pytest.raises(WrongCredentialsError):
            await sign_in.by_password(login, "wrong", client=HERE)
    found = [login for login in ("INGRID", "İngrid", "ıngrid") if await users.credentials(services.db, login)]
    for login in ("ingrid", *found):
        with pytest.raises(RateLimitedError):
            await sign_in.by_password(login, PASSWORD, client=HERE)


async def test_every_spelling_of_an_unknown_login_is_one(services: InspectableServices) -> None:
    """A name without an account is limited like one that has an account."""
    sign_in = with_limits(services, sign_in_account="2/h").actions.sign_in
    for login, error in (
        ("Nobody", WrongCredentialsError),
        ("NOBODY", WrongCredentialsError),
        ("nobody", RateLimitedError),
    ):
        with pytest.raises(error):
            await sign_in.by_password(login, "wrong", client=HERE)


async def test_signing_out_revokes_the_session(services: InspectableServices) -> None:
    """After signing out neither the access token nor the refresh token of the session is accepted."""
    session = await sign_up(services)
    claims = services.tokens.verify(session.tokens.access)
    fresh = await services.actions.sessions.refresh(session.tokens.refresh)
    await services.limiter.check_user("reads", claims.user_id, claims.session)
    await services.actions.sessions.sign_out(claims.user_id, claims.session)
    with pytest.raises(SessionRevokedError):
        await services.limiter.check_user("reads", claims.user_id, claims.session)
    with pytest.raises(RefreshTokenError):
        await services.actions.sessions.refresh(fresh.refresh)


async def test_a_worker_repeats_what_a_lost_process_left_undone(
    services: InspectableServices, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies after the commit leaves an event, whose handler refuses the access tokens for as long."""
    session = await sign_up(services)
    claims = services.tokens.verify(session.tokens.access)

    async def die(*_: object) -> None:
        raise SystemExit("the process is gone")

    with monkeypatch.context() as patched:
        patched.setattr(SessionService, "revoke", die)
        with pytest.raises(SystemExit):
            await services.actions.sessions.sign_out(claims.user_id, claims.session)
    await services.limiter.check_user("reads", claims.user_id, claims.session)
    row = await services.db.fetchrow("SELECT queue, topic, body FROM outbox WHERE topic = 'session.ended'")
    assert row is not None
    spec = next(spec for spec in WORKERS if spec.name == row["queue"])
    async with open_handlers(spec, worker_context(spec.name, services.base, services.stores)) as handlers:
        await handlers[row["topic"]](events.decode(row["topic"], row["body"]))
    with pytest.raises(SessionRevokedError):
        await services.limiter.check_user("reads", claims.user_id, claims.session)
    assert await commands(redis).ttl(revoked_key(claims.session, claims.user_id)) > services.tokens.ttl


async def test_a_revocation_outlasts_the_access_tokens(services: InspectableServices, redis: Redis) -> None:
    """A signed-out session is refused for longer than any of its access tokens is valid."""
    session = await sign_up(services)
    claims = services.tokens.verify(session.tokens.access)
    await services.actions.sessions.sign_out(claims.user_id, claims.session)
    assert await commands(redis).ttl(revoked_key(claims.session, claims.user_id)) > services.tokens.ttl


async def test_a_sign_in_during_the_deletion_of_the_account_fails(
    services: InspectableServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that is deleted while its password is verified gets no session."""
    claims = services.tokens.verify((await sign_up(services)).tokens.access)
    verify = services.passwords.verify

    async def verify_while_deleting(encoded: str | None, password: str) -> bool:
        valid = await verify(encoded, password)
        await services.actions.accounts.delete(claims.user_id, claims.session, client=HERE)
        return valid

    monkeypatch.setattr(services.passwords, "verify", verify_while_deleting)
    with pytest.raises(WrongCredentialsError):
        await services.actions.sign_in.by_password("ann", PASSWORD, client=HERE)
    assert await services.db.fetchval("SELECT count(*) FROM sessions WHERE revoked_at IS NULL") == 0


async def test_a_sign_in_during_a_change_of_the_password_fails(
    services: InspectableServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change ends all sessions, so a sign-in with the former password opens none after it."""
    claims = services.tokens.verify((await sign_up(services)).tokens.access)
    verify, changes = services.passwords.verify, [services.actions.password_change]

    async def verify_while_changing(encoded: str | None, password: str) -> bool:
        valid = await verify(encoded, password)
        while changes:
            change = changes.pop()
            await change.change(claims.user_id, claims.session, current=PASSWORD, new="staple battery", client=HERE)
        return valid

    monkeypatch.setattr(services.passwords, "verify", verify_while_changing)
    with pytest.raises(WrongCredentialsError):
        await services.actions.sign_in.by_password("ann", PASSWORD, client=HERE)
    active = await services.actions.sessions.active(claims.user_id)
    assert [session.id for session in active] == [claims.session]


async def test_a_deleted_account_gets_no_new_tokens(services: InspectableServices) -> None:
    """A session that is left of a deleted account is not refreshed."""
    session = await sign_up(services)
    await services.db.fetch("UPDATE users SET deleted_at = now() WHERE id = $1", session.user.id)
    with pytest.raises(RefreshTokenError):
        await services.actions.sessions.refresh(session.tokens.refresh)


async def test_a_refresh_token_used_twice_ends_the_session(services: InspectableServices) -> None:
    """The second use by an unknown client fails, and so does the token that the first use returned."""
    session = await sign_up(services)
    fresh = await services.actions.sessions.refresh(session.tokens.refresh)
    for token in (session.tokens.refresh, fresh.refresh):
        with pytest.raises(RefreshTokenError):
            await services.actions.sessions.refresh(token)


async def test_deleting_an_account_ends_its_sessions(services: InspectableServices) -> None:
    """A deleted account is not found, and its sessions are revoked."""
    session = await sign_up(services)
    claims = services.tokens.verify(session.tokens.access)
    await services.actions.accounts.delete(claims.user_id, claims.session, client=HERE)
    with pytest.raises(NotFoundError):
        await users.get(services.db, claims.user_id)
    with pytest.raises(SessionRevokedError):
        await services.limiter.check_user("reads", claims.user_id, claims.session)


async def test_a_refresh_token_is_that_of_the_user_s_shard(services: InspectableServices) -> None:
    """The token of a session and those for which it is exchanged name the shard of the user; no other is tried."""
    session = await sign_up(services)
    shard = ids.shard_of(session.user.id)
    fresh = await services.actions.sessions.refresh(session.tokens.refresh)
    assert refresh_token_shard(session.tokens.refresh) == refresh_token_shard(fresh.refresh) == shard
    wrong = ids.encode_shard((shard + 1) % ids.SHARDS) + fresh.refresh[ids.SHARD_LENGTH :]
    for text in (wrong, fresh.refresh[ids.SHARD_LENGTH :], "x", ""):
        with pytest.raises(RefreshTokenError):
            await services.actions.sessions.refresh(text)
    assert await services.actions.sessions.refresh(fresh.refresh)


async def test_a_refresh_token_of_the_version_before_is_exchanged(services: InspectableServices) -> None:
    """It has no shard, is exchanged for one that has, and cannot be used again by another client."""
    session = await sign_up(services)
    shard = ids.shard_of(session.user.id)
    old = "00" + "x" * 41
    await services.db.fetch("UPDATE refresh_tokens SET token_sha256 = $1", refresh_digest(old))
    fresh = await services.actions.sessions.refresh(old)
    assert refresh_token_shard(fresh.refresh) == shard
    assert (await services.actions.sessions.refresh(fresh.refresh)).refresh
    with pytest.raises(RefreshTokenError):
        await services.actions.sessions.refresh(old)


async def test_a_session_is_ended_by_its_own_user(
    services: InspectableServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who signs out with the session of another one, even of the same shard, ends nothing."""
    monkeypatch.setattr(ids, "draw_shard", lambda: 7)
    ann, ben = await sign_up(services), await sign_up(services, "ben")
    claims = services.tokens.verify(ann.tokens.access)
    async with services.db.transaction() as tx:
        await sessions.revoke(tx, ben.user.id, claims.session)
    assert await services.actions.sessions.refresh(ann.tokens.refresh)
