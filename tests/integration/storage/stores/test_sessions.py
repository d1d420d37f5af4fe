"""Refresh tokens in a real database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from storage.models import User
from storage.postgres.database import Database
from storage.stores import sessions
from storage.stores.sessions import Rotation
from tests.support.community import new_user, new_users

pytestmark = pytest.mark.engines

LATER = datetime.now(UTC) + timedelta(days=30)
EARLIER = datetime.now(UTC) - timedelta(seconds=1)


async def _open(database: Database, user: User, token: bytes, expires_at: datetime = LATER) -> str:
    async with database.transaction() as tx:
        return await sessions.open(tx, user.id, token_sha256=token, expires_at=expires_at)


async def _rotate(database: Database, old: bytes, new: bytes) -> Rotation:
    async with database.transaction() as tx:
        return await sessions.rotate(tx, old_sha256=old, new_sha256=new, expires_at=LATER)


async def test_each_token_leads_to_the_next(database: Database) -> None:
    """A token is exchanged for the next one, in the same session."""
    ann = await new_user(database, "ann")
    sid = await _open(database, ann, b"1")
    for old, new in ((b"1", b"2"), (b"2", b"3")):
        assert await _rotate(database, old, new) == Rotation(kind="ok", user_id=ann.id, session_id=sid)


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


async def test_one_of_many_at_once(database: Database) -> None:
    """Of several concurrent exchanges of one token exactly one succeeds."""
    ann = await new_user(database, "ann")
    await _open(database, ann, b"1")
    outcomes = await asyncio.gather(*(_rotate(database, b"1", b"n%d" % n) for n in range(6)))
    kinds = sorted(outcome.kind for outcome in outcomes)
    assert kinds == ["ok", "reused", "unknown", "unknown", "unknown", "unknown"]


async def test_unknown_and_expired(database: Database) -> None:
    """A token that was never issued is unknown, and an old one is expired."""
    ann = await new_user(database, "ann")
    await _open(database, ann, b"1", EARLIER)
    assert await _rotate(database, b"0", b"2") == Rotation(kind="unknown")
    assert (await _rotate(database, b"1", b"2")).kind == "expired"


async def test_revoke(database: Database) -> None:
    """A user's sessions end one by one or together, without those of other users."""
    ann, ben = await new_users(database, "ann", "ben")
    first, second = await _open(database, ann, b"1"), await _open(database, ann, b"2")
    await _open(database, ben, b"3")
    async with database.transaction() as tx:
        await sessions.revoke(tx, first)
        assert await sessions.revoke_all(tx, ann.id) == [second]
    assert [(await _rotate(database, old, old + b"+")).kind for old in (b"1", b"2", b"3")] == [
        "unknown",
        "unknown",
        "ok",
    ]


async def test_purge(database: Database) -> None:
    """Expired tokens are deleted, with sessions that have no other."""
    ann = await new_user(database, "ann")
    await _open(database, ann, b"1", EARLIER)
    await _open(database, ann, b"2")
    async with database.transaction() as tx:
        assert await sessions.purge(tx) == 1
    assert await database.fetchval("SELECT count(*) FROM sessions") == 1
