"""Idempotency keys in a real database."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from storage import idempotency
from storage.database import Database
from storage.idempotency import Claim
from storage.models import User
from tests.support.community import people, person

pytestmark = pytest.mark.engines


async def _claim(database: Database, user: User, key: str = "k", fingerprint: str = "f") -> Claim:
    async with database.transaction() as tx:
        return await idempotency.claim(tx, user_id=user.id, key=key, fingerprint=fingerprint)


async def _age(database: Database, seconds: int) -> None:
    await database.fetchval("UPDATE idempotency_keys SET created_at = now() - make_interval(secs => $1)", seconds)


async def test_claim_finish_replay(database: Database) -> None:
    """The first claim is new, then it runs, then its answer is there, byte for byte."""
    ann = await person(database, "ann")
    assert await _claim(database, ann) == Claim(state="new")
    assert await _claim(database, ann) == Claim(state="running")
    async with database.transaction() as tx:
        await idempotency.finish(tx, user_id=ann.id, key="k", status=201, response=b"\x00{}")
        await idempotency.finish(tx, user_id=ann.id, key="k", status=500, response=b"late")
    assert await _claim(database, ann) == Claim(state="stored", status=201, response=b"\x00{}")


async def test_mismatch_and_other_people(database: Database) -> None:
    """Another content under the same key is a mismatch; another person's key is another key."""
    ann, ben = await people(database, "ann", "ben")
    await _claim(database, ann)
    assert (await _claim(database, ann, fingerprint="g")).state == "mismatch"
    assert (await _claim(database, ben, fingerprint="g")).state == "new"
    assert (await _claim(database, ann, key="l")).state == "new"


async def test_hundred_at_once(database: Database) -> None:
    """Of a hundred at the same moment one is new."""
    ann = await person(database, "ann")
    claims = await asyncio.gather(*(_claim(database, ann) for _ in range(100)))
    assert sorted(claim.state for claim in claims) == ["new"] + ["running"] * 99


async def test_dead_claim_is_taken_over(database: Database) -> None:
    """A claim of a minute ago without an answer is taken over, once."""
    ann = await person(database, "ann")
    await _claim(database, ann)
    await _age(database, 59)
    assert (await _claim(database, ann)).state == "running"
    await _age(database, 61)
    claims = await asyncio.gather(*(_claim(database, ann) for _ in range(5)))
    assert sorted(claim.state for claim in claims) == ["new"] + ["running"] * 4


async def test_release(database: Database) -> None:
    """Released work may be tried again; an answer is not released."""
    ann = await person(database, "ann")
    await _claim(database, ann)
    async with database.transaction() as tx:
        await idempotency.release(tx, user_id=ann.id, key="k")
    assert (await _claim(database, ann)).state == "new"
    async with database.transaction() as tx:
        await idempotency.finish(tx, user_id=ann.id, key="k", status=200, response=b"")
        await idempotency.release(tx, user_id=ann.id, key="k")
    assert (await _claim(database, ann)).state == "stored"


async def test_purge(database: Database) -> None:
    """Old keys are forgotten, young ones kept."""
    ann = await person(database, "ann")
    await _claim(database, ann, key="old")
    await _age(database, 7200)
    await _claim(database, ann, key="young")
    async with database.transaction() as tx:
        assert await idempotency.purge(tx, timedelta(hours=1)) == 1
    assert (await _claim(database, ann, key="young")).state == "running"
