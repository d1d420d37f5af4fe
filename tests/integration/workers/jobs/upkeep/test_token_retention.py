"""What the janitor deletes of applications and their tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from server.identity.opaque_tokens import TokenKind, digest, new_token
from storage import ids
from storage.models import User
from storage.oauth import Application
from storage.postgres.database import Database
from storage.stores.accounts import users
from storage.stores.credentials import api_tokens, oauth_clients, oauth_codes, sessions, token_lists
from storage.stores.credentials.api_tokens import NewToken
from storage.stores.credentials.oauth_clients import ApplicationFields
from tests.support.community import new_user, new_users
from workers.jobs.upkeep.token_retention import TokenRetention

pytestmark = pytest.mark.engines

FIELDS = ApplicationFields(name="Frames", website="", redirect_uris=["app:/x"], scopes=["read"])


async def register(database: Database, owner: User | None = None) -> Application:
    """Register an application."""
    owner_id = None if owner is None else owner.id
    async with database.transaction() as tx:
        shard = oauth_clients.new_shard(owner_id)
        return await oauth_clients.add(tx, owner_id, FIELDS, secret_sha256=None, shard_=shard)


async def open_token(database: Database, user: User, **fields: object) -> str:
    """Store a token of a user with these fields, and return its session."""
    token = NewToken(sha256=digest(new_token(TokenKind.ACCESS, 0)), scopes=["read"], **fields)  # type: ignore[arg-type]
    async with database.transaction() as tx:
        return await api_tokens.open_session(tx, user.id, token)


async def count(database: Database, table: str) -> int:
    """Return the number of rows of a table."""
    number: int = await database.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - of this file
    return number


async def test_expired_tokens_are_deleted_with_their_sessions(database: Database) -> None:
    """A week later, unless they can still be refreshed; tokens that do not expire are kept."""
    ann = await new_user(database, "ann")
    now = datetime.now(UTC)
    long_ago = now - timedelta(days=8)
    await open_token(database, ann)
    await open_token(database, ann, expires_at=now - timedelta(days=6))
    refreshable = {"refresh_sha256": b"r" * 32, "refresh_expires_at": now + timedelta(days=1)}
    await open_token(database, ann, expires_at=long_ago, **refreshable)
    await open_token(database, ann, expires_at=long_ago)
    assert await TokenRetention(database).delete_tokens() == 1
    assert (await count(database, "api_tokens"), await count(database, "sessions")) == (3, 3)
    assert await TokenRetention(database).delete_tokens() == 0


async def test_tokens_of_ended_sessions_are_deleted(database: Database) -> None:
    """A day later: until then a revocation that Redis has lost is restored from them."""
    ann = await new_user(database, "ann")
    ended, kept = await open_token(database, ann), await open_token(database, ann)
    async with database.transaction() as tx:
        await sessions.revoke(tx, ann.id, ended)
        await sessions.revoke(tx, ann.id, kept)
    await database.fetch("UPDATE sessions SET revoked_at = now() - interval '25 hours' WHERE id = $1::uuid", ended)
    assert await TokenRetention(database).delete_tokens() == 1
    assert await database.fetchval("SELECT string_agg(id::text, '') FROM sessions") == kept


async def test_old_codes_are_deleted(database: Database) -> None:
    """A day after their expiry."""
    ann = await new_user(database, "ann")
    for hours in (23, 25):
        async with database.transaction() as tx:
            await oauth_codes.add(
                tx,
                ann.id,
                sha256=bytes([hours]) * 32,
                client_id=7,
                redirect_uri="app:/x",
                challenge=None,
                scopes=["read"],
                expires_at=datetime.now(UTC) - timedelta(hours=hours),
            )
    assert await TokenRetention(database).delete_codes() == 1
    assert await count(database, "oauth_codes") == 1


async def test_applications_that_were_never_used_are_deleted(database: Database) -> None:
    """Those that registered themselves, after a week; those of developers stay."""
    ann = await new_user(database, "ann")
    new, unused, used = [await register(database) for _ in range(3)]
    own = await register(database, ann)
    async with database.transaction() as tx:
        await oauth_clients.mark_used(tx, used.id)
    await database.fetch(
        "UPDATE oauth_clients SET created_at = now() - interval '8 days' WHERE id = ANY($1::bigint[])",
        [unused.id, used.id, own.id],
    )
    assert await TokenRetention(database).delete_unused() == 1
    assert set(await oauth_clients.by_ids(database, [new.id, unused.id, used.id, own.id])) == {new.id, used.id, own.id}


async def test_the_applications_of_a_deleted_account_end(database: Database) -> None:
    """With the sessions that they have of other users; each emits an event, by which workers refuse the tokens."""
    dev, ann, ben = await new_users(database, "dev", "ann", "ben")
    application = await register(database, dev)
    opened = [await open_token(database, user, client_id=application.id) for user in (ann, ben)]
    async with database.transaction() as tx:
        await api_tokens.add_for_application(
            tx, application.id, NewToken(sha256=b"x" * 32, scopes=["read"], client_id=application.id)
        )
        await users.remove(tx, dev.id)
    assert await TokenRetention(database).end_deleted() == 2
    assert not [user for user in (ann, ben) if await token_lists.granted(database, user.id)]
    for user, session in zip((ann, ben), opened, strict=True):
        assert not await sessions.is_open(database, user.id, session)
    assert await count(database, "oauth_clients") == 0
    assert await count(database, "api_tokens") == 2
    assert ids.shard_of(application.id) == ids.shard_of(dev.id)
    assert await TokenRetention(database).end_deleted() == 0
