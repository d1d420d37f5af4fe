"""Refresh tokens in a real database."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from storage import ids
from storage.events import SessionEnded, decode
from storage.models import Role, User
from storage.postgres.database import Database
from storage.stores.accounts import users
from storage.stores.credentials import sessions
from storage.stores.credentials.sessions import Rotation
from tests.support.community import new_user, new_users, topics
from tests.support.eventually import DEADLINE
from tests.support.locks import wait_for_blocked_transaction

pytestmark = pytest.mark.engines

LATER = datetime.now(UTC) + timedelta(days=30)
EARLIER = datetime.now(UTC) - timedelta(seconds=1)


async def _open(database: Database, user: User, token: bytes, expires_at: datetime = LATER) -> str:
    async with database.transaction() as tx:
        return await sessions.open(tx, user.id, token_sha256=token, expires_at=expires_at)


async def _rotate(database: Database, old: bytes, new: bytes, client: bytes | None = None) -> Rotation:
    async with database.transaction() as tx:
        shard = await sessions.shard_of_token(tx, old)
        return await sessions.rotate(
            tx, shard=shard or 0, old_sha256=old, new_sha256=new, expires_at=LATER, client=client
        )


async def _grow_older(database: Database, by: float) -> None:
    """Move all rotations into the past by this many seconds."""
    for statement in (
        "UPDATE sessions SET rotated_at = rotated_at - $1::float8 * interval '1 second'",
        "UPDATE refresh_tokens SET used_at = used_at - $1::float8 * interval '1 second'",
    ):
        await database.fetch(statement, by)


async def test_each_token_leads_to_the_next(database: Database) -> None:
    """A token is exchanged for the next one, in the same session."""
    ann = await new_user(database, "ann")
    sid = await _open(database, ann, b"1")
    for old, new in ((b"1", b"2"), (b"2", b"3")):
        expected = Rotation(kind="ok", user_id=ann.id, session_id=sid, role=Role.USER)
        assert await _rotate(database, old, new) == expected


async def test_reuse_ends_the_family(database: Database) -> None:
    """A token used again ends its session, including the newest token, and no other session."""
    ann = await new_user(database, "ann")
    sid = await _open(database, ann, b"1")
    await _open(database, ann, b"other")
    await _rotate(database, b"1", b"2")
    assert await _rotate(database, b"1", b"x") == Rotation(kind="reused", user_id=ann.id, session_id=sid)
    assert (await _rotate(database, b"2", b"3")).kind == "unknown"
    assert (await _rotate(database, b"x", b"3")).kind == "unknown"
    assert (await _rotate(database, b"other", b"3")).kind == "ok"


async def test_a_lost_response_is_repeated(database: Database) -> None:
    """The client that has used a token last can use it again, as often as needed, until the next token is used."""
    ann = await new_user(database, "ann")
    sid = await _open(database, ann, b"1")
    await _rotate(database, b"1", b"lost", b"phone")
    for new in (b"lost too", b"2"):
        expected = Rotation(kind="repeated", user_id=ann.id, session_id=sid, role=Role.USER)
        assert await _rotate(database, b"1", new, b"phone") == expected
    assert (await _rotate(database, b"2", b"3", b"phone")).kind == "ok"
    assert (await _rotate(database, b"1", b"x", b"phone")).kind == "reused"
    assert (await _rotate(database, b"3", b"x", b"phone")).kind == "unknown"


@pytest.mark.parametrize("client", [b"thief", None])
async def test_another_client_cannot_repeat(database: Database, client: bytes | None) -> None:
    """A used token from another or an unknown client ends the session."""
    ann = await new_user(database, "ann")
    await _open(database, ann, b"1")
    await _rotate(database, b"1", b"2", b"phone")
    assert (await _rotate(database, b"1", b"x", client)).kind == "reused"
    assert (await _rotate(database, b"2", b"x", b"phone")).kind == "unknown"


async def test_repeating_is_possible_for_a_minute(database: Database) -> None:
    """After a minute a used token ends the session, from whatever client."""
    ann = await new_user(database, "ann")
    await _open(database, ann, b"1")
    await _rotate(database, b"1", b"2", b"phone")
    await _grow_older(database, 55)
    assert (await _rotate(database, b"1", b"x", b"phone")).kind == "repeated"
    await _grow_older(database, 5)
    assert (await _rotate(database, b"1", b"y", b"phone")).kind == "reused"


async def test_a_rotation_returns_the_present_role(database: Database) -> None:
    """The role is that of the user at the moment of the exchange, and None once the account is deleted."""
    ann, _ = await new_users(database, "ann", "ben")
    await _open(database, ann, b"1")
    async with database.transaction() as tx:
        await users.set_role(tx, "ann", Role.ADMIN)
    assert [(await _rotate(database, b"1", new, b"phone")).role for new in (b"2", b"3")] == [Role.ADMIN] * 2
    # As by a process of an earlier version, which does not end a session that is opened meanwhile.
    await database.fetch("UPDATE users SET deleted_at = now() WHERE id = $1", ann.id)
    for old, kind in ((b"1", "repeated"), (b"3", "ok")):
        rotation = await _rotate(database, old, b"x" + old, b"phone")
        assert (rotation.kind, rotation.role) == (kind, None)


async def test_a_family_has_one_branch(database: Database) -> None:
    """The first use of one of several tokens of a generation uses up the others."""
    ann = await new_user(database, "ann")
    await _open(database, ann, b"1")
    for new in (b"2a", b"2b", b"2c"):
        await _rotate(database, b"1", new, b"phone")
    assert (await _rotate(database, b"2a", b"3", b"phone")).kind == "ok"
    assert (await _rotate(database, b"2b", b"4", b"phone")).kind == "repeated"
    assert (await _rotate(database, b"4", b"5", b"phone")).kind == "ok"
    assert (await _rotate(database, b"2c", b"x", b"phone")).kind == "reused"
    assert (await _rotate(database, b"5", b"x", b"phone")).kind == "unknown"


async def test_many_at_once_of_one_client(database: Database) -> None:
    """Of several concurrent exchanges of one token by its client one succeeds and the others repeat it."""
    ann = await new_user(database, "ann")
    await _open(database, ann, b"1")
    outcomes = await asyncio.gather(*(_rotate(database, b"1", b"n%d" % n, b"phone") for n in range(6)))
    assert sorted(outcome.kind for outcome in outcomes) == ["ok", *["repeated"] * 5]
    for number in range(6):
        assert (await _rotate(database, b"n%d" % number, b"m%d" % number, b"phone")).kind in {"ok", "repeated"}


async def test_one_of_many_at_once(database: Database) -> None:
    """Of several concurrent exchanges of one token by unknown clients exactly one succeeds."""
    ann = await new_user(database, "ann")
    await _open(database, ann, b"1")
    outcomes = await asyncio.gather(*(_rotate(database, b"1", b"n%d" % n) for n in range(6)))
    kinds = sorted(outcome.kind for outcome in outcomes)
    assert kinds == ["ok", "reused", "unknown", "unknown", "unknown", "unknown"]


async def test_a_token_is_looked_up_in_its_shard(database: Database) -> None:
    """In another shard it is unknown, which changes nothing; the shard of a token without one is found."""
    ann = await new_user(database, "ann")
    await _open(database, ann, b"1")
    shard = ids.shard_of(ann.id)
    async with database.transaction() as tx:
        wrong = await sessions.rotate(
            tx, shard=(shard + 1) % ids.SHARDS, old_sha256=b"1", new_sha256=b"2", expires_at=LATER
        )
    assert wrong == Rotation(kind="unknown")
    assert [await sessions.shard_of_token(database, token) for token in (b"1", b"2")] == [shard, None]
    assert (await _rotate(database, b"1", b"2")).kind == "ok"


async def test_unknown_and_expired(database: Database) -> None:
    """A token that was never issued is unknown, and an old one is expired."""
    ann = await new_user(database, "ann")
    await _open(database, ann, b"1", EARLIER)
    assert await _rotate(database, b"0", b"2") == Rotation(kind="unknown")
    assert (await _rotate(database, b"1", b"2")).kind == "expired"
    assert await database.fetchval("SELECT revoked_at FROM sessions") is None


async def test_revoke(database: Database) -> None:
    """A user's sessions end one by one or together, without those of other users."""
    ann, ben = await new_users(database, "ann", "ben")
    first, second = await _open(database, ann, b"1"), await _open(database, ann, b"2")
    await _open(database, ben, b"3")
    async with database.transaction() as tx:
        await sessions.revoke(tx, ann.id, first)
        assert await sessions.revoke_all(tx, ann.id) == [second]
    assert await topics(database) == ["session.ended"] * 2
    rows = await database.fetch("SELECT body FROM outbox ORDER BY id")
    events = [decode("session.ended", row["body"]) for row in rows]
    assert events == [SessionEnded(session_id=session, user_id=ann.id) for session in (first, second)]
    assert [(await _rotate(database, old, old + b"+")).kind for old in (b"1", b"2", b"3")] == [
        "unknown",
        "unknown",
        "ok",
    ]


async def test_a_second_revocation_changes_nothing(database: Database) -> None:
    """A session keeps the time at which it ended first, and the event is emitted once.

    Its revocation is restored until that time plus the token's life.
    """
    ann = await new_user(database, "ann")
    session = await _open(database, ann, b"1")
    ended = []
    for _ in range(2):
        async with database.transaction() as tx:
            await sessions.revoke(tx, ann.id, session)
        ended.append(await database.fetchval("SELECT revoked_at FROM sessions"))
    assert ended[0] == ended[1] is not None
    assert await topics(database) == ["session.ended"]


async def test_a_session_that_is_ending_is_not_ended_again(database: Database) -> None:
    """The end of all sessions waits for the end of one, and does not report that one."""
    ann = await new_user(database, "ann")
    first, second = await _open(database, ann, b"1"), await _open(database, ann, b"2")

    async def revoke_all() -> list[str]:
        async with database.transaction() as tx:
            return await sessions.revoke_all(tx, ann.id)

    async with database.transaction() as tx:
        await sessions.revoke(tx, ann.id, first)
        ending = asyncio.create_task(revoke_all())
        await wait_for_blocked_transaction(database)
    assert await ending == [second]


async def test_sessions_are_ended_in_the_order_of_their_ids(database: Database) -> None:
    """Two requests that end all sessions of a user lock them in the same order, so that neither waits in vain."""
    ann = await new_user(database, "ann")
    made = [await _open(database, ann, b"%d" % number) for number in range(9)]
    low = min(made)

    async def revoke_all() -> list[str]:
        async with database.transaction() as tx:
            return await sessions.revoke_all(tx, ann.id)

    async with database.transaction() as tx:
        await tx.execute("SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE", uuid.UUID(low))
        ending = asyncio.create_task(revoke_all())
        await wait_for_blocked_transaction(database)
        async with asyncio.timeout(DEADLINE):
            assert await tx.execute("SELECT 1 FROM sessions WHERE user_id = $1 FOR UPDATE NOWAIT", ann.id) == 9
    assert await ending == sorted(made)


async def test_a_purge_does_not_wait_for_a_refresh(database: Database) -> None:
    """A token that is being exchanged at this moment is left to the next purge."""
    ann = await new_user(database, "ann")
    await _open(database, ann, b"1", EARLIER)
    await _open(database, ann, b"2", EARLIER)
    async with database.transaction() as tx:
        shard = ids.shard_of(ann.id)
        await sessions.rotate(tx, shard=shard, old_sha256=b"1", new_sha256=b"x", expires_at=LATER)
        async with asyncio.timeout(DEADLINE), database.transaction() as purging:
            assert await sessions.purge(purging) == 1
    assert await database.fetch("SELECT 1 FROM refresh_tokens WHERE token_sha256 = $1", b"1")


async def test_purge(database: Database) -> None:
    """Expired tokens are deleted, with sessions that have no other."""
    ann = await new_user(database, "ann")
    await _open(database, ann, b"1", EARLIER)
    await _open(database, ann, b"2")
    async with database.transaction() as tx:
        assert await sessions.purge(tx) == 1
    assert await database.fetchval("SELECT count(*) FROM sessions") == 1


async def test_a_purge_keeps_sessions_with_newer_tokens(database: Database) -> None:
    """A session whose first token has expired goes on with its newest one, whatever limit the purge has."""
    ann = await new_user(database, "ann")
    for number in range(3):
        await _open(database, ann, b"%d" % number)
        await _rotate(database, b"%d" % number, b"%d+" % number)
    await database.fetch("UPDATE refresh_tokens SET expires_at = $1 WHERE used_at IS NOT NULL", EARLIER)
    for left in (2, 1, 0):
        async with database.transaction() as tx:
            assert await sessions.purge(tx, limit=1) == 1
        assert await database.fetchval("SELECT count(*) FROM refresh_tokens WHERE expires_at < now()") == left
    assert [(await _rotate(database, b"%d+" % number, b"%d++" % number)).kind for number in range(3)] == ["ok"] * 3
