"""Idempotency keys in a real database."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from storage.errors import NotFoundError
from storage.models import User
from storage.postgres.database import Database
from storage.stores import idempotency
from storage.stores.idempotency import Claim
from tests.support.community import new_user, new_users
from tests.support.eventually import DEADLINE

pytestmark = pytest.mark.engines


@dataclass
class Work:
    """Work that lasts until `end` is set."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    end: asyncio.Event = field(default_factory=asyncio.Event)


async def _run(
    database: Database, user: User, key: str = "k", fingerprint: str = "f", *, work: Work | None = None
) -> Claim:
    """Claim a key and, if it is new, do the work."""
    await idempotency.reserve(database, user_id=user.id, key=key, fingerprint=fingerprint)
    async with database.transaction() as tx:
        claim = await idempotency.claim(tx, user_id=user.id, key=key, fingerprint=fingerprint)
        if claim.state == "new":
            if work is not None:
                work.begun.set()
                await work.end.wait()
            await idempotency.finish(
                tx, user_id=user.id, key=key, fingerprint=fingerprint, status=201, response=b"\x00{}"
            )
        return claim


async def test_a_repeat_gets_the_response_byte_for_byte(database: Database) -> None:
    """The first claim is new, and later ones get its response."""
    ann = await new_user(database, "ann")
    assert await _run(database, ann) == Claim(state="new")
    assert await _run(database, ann) == Claim(state="stored", status=201, response=b"\x00{}")


async def test_mismatch_and_other_users(database: Database) -> None:
    """Another content under the same key is a mismatch; the same key of another user is another key."""
    ann, ben = await new_users(database, "ann", "ben")
    await _run(database, ann)
    assert (await _run(database, ann, fingerprint="g")).state == "mismatch"
    assert (await _run(database, ben, fingerprint="g")).state == "new"
    assert (await _run(database, ann, key="l")).state == "new"


async def test_claims_during_the_work_are_running(database: Database) -> None:
    """Of twenty claims during the work none is new, and later ones get the response."""
    ann = await new_user(database, "ann")
    work = Work()
    first = asyncio.create_task(_run(database, ann, work=work))
    await asyncio.wait_for(work.begun.wait(), DEADLINE)
    claims = await asyncio.gather(*(_run(database, ann) for _ in range(20)))
    assert {claim.state for claim in claims} == {"running"}
    work.end.set()
    assert (await first).state == "new"
    assert (await _run(database, ann)).state == "stored"


async def test_of_a_hundred_at_once_one_does_the_work(database: Database) -> None:
    """Of a hundred concurrent claims one is new."""
    ann = await new_user(database, "ann")
    claims = await asyncio.gather(*(_run(database, ann) for _ in range(100)))
    assert [claim.state for claim in claims].count("new") == 1


async def test_failed_work_can_be_repeated_at_once(database: Database) -> None:
    """A claim ends with its transaction, even if the process fails, so that no repeat has to wait."""
    ann = await new_user(database, "ann")
    work = Work()
    first = asyncio.create_task(_run(database, ann, work=work))
    await asyncio.wait_for(work.begun.wait(), DEADLINE)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await idempotency.find(database, user_id=ann.id, key="k", fingerprint="f") == Claim(state="new")
    # What failed has no effect, so the key can be used for other content.
    assert (await _run(database, ann, fingerprint="g")).state == "new"
    assert (await _run(database, ann, fingerprint="f")).state == "mismatch"
    assert (await _run(database, ann, fingerprint="g")).state == "stored"


async def test_the_age_of_a_key_counts_from_its_response(database: Database) -> None:
    """A key that a failed request left is kept for its whole time after the request that has a response."""
    ann = await new_user(database, "ann")
    await idempotency.reserve(database, user_id=ann.id, key="k", fingerprint="f")
    await database.fetch("UPDATE idempotency_keys SET created_at = now() - interval '2 hours'")
    await _run(database, ann)
    async with database.transaction() as tx:
        assert await idempotency.purge(tx, timedelta(hours=1), limit=10) == 0


async def test_a_deleted_account_stores_no_response(database: Database) -> None:
    """Work of an account that is deleted by now is refused at its end."""
    ann = await new_user(database, "ann")
    await database.fetch("UPDATE users SET deleted_at = now() WHERE id = $1", ann.id)
    with pytest.raises(NotFoundError):
        await _run(database, ann)


async def test_purge(database: Database) -> None:
    """Old keys are deleted and recent ones kept."""
    ann = await new_user(database, "ann")
    await _run(database, ann, key="old")
    await database.fetchval("UPDATE idempotency_keys SET created_at = now() - interval '2 hours'")
    await _run(database, ann, key="young")
    async with database.transaction() as tx:
        assert await idempotency.purge(tx, timedelta(hours=1), limit=10) == 1
    assert (await _run(database, ann, key="young")).state == "stored"
    assert (await _run(database, ann, key="old")).state == "new"
