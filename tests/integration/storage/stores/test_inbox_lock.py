"""The lock of an inbox, which all writers of the inbox take first."""

from __future__ import annotations

import asyncio

import pytest

from storage.models import User
from storage.postgres.database import Database
from storage.stores import inbox_lock
from tests.support.community import new_users
from tests.support.eventually import DEADLINE
from tests.support.locks import wait_for_blocked_transaction
from workers.broker.routing import queues_of

pytestmark = pytest.mark.engines


async def acquire(database: Database, user: User) -> None:
    """Lock an inbox in a transaction of its own, at once or after others."""
    async with database.transaction() as tx:
        await inbox_lock.acquire(tx, user.id)


@pytest.mark.parametrize("exists", [True, False], ids=["exists", "of an earlier version"])
async def test_a_transaction_waits_for_the_inbox_and_no_other(database: Database, exists: bool) -> None:
    """The second lock of an inbox is granted after the end of the first one, also if the inbox had no row yet."""
    ann, ben = await new_users(database, "ann", "ben")
    if not exists:
        await database.fetch("DELETE FROM inboxes")
    async with asyncio.timeout(DEADLINE):
        async with database.transaction() as tx:
            await inbox_lock.acquire(tx, ann.id)
            waiting = asyncio.create_task(acquire(database, ann))
            await wait_for_blocked_transaction(database)
            await acquire(database, ben)
            assert not waiting.done()
        await waiting


@pytest.mark.parametrize("exists", [True, False], ids=["exists", "of an earlier version"])
async def test_a_held_lock_keeps_transactions_off_one_inbox(database: Database, exists: bool) -> None:
    """It is the lock that transactions take, and lasts after a commit until its block ends."""
    ann, ben = await new_users(database, "ann", "ben")
    if not exists:
        await database.fetch("DELETE FROM inboxes")
    async with asyncio.timeout(DEADLINE):
        async with inbox_lock.hold(database, ann.id) as lock:
            async with database.transaction(lock) as tx:
                await tx.fetchval("SELECT 1")
            waiting = asyncio.create_task(acquire(database, ann))
            await wait_for_blocked_transaction(database)
            async with inbox_lock.hold(database, ben.id):
                assert not waiting.done()
        await waiting


async def test_waiting_for_an_inbox_keeps_no_other_inbox_waiting(database: Database, database_dsn: str) -> None:
    """Tasks that wait to hold a lock take none of the few connections that the locks of all inboxes share."""
    ann, ben = await new_users(database, "ann", "ben")
    narrow = await Database.connect(database_dsn, routes=queues_of, min_size=1, max_size=4)

    async def hold(user: User) -> None:
        async with inbox_lock.hold(narrow, user.id):
            pass

    async with asyncio.timeout(DEADLINE):
        async with inbox_lock.hold(narrow, ann.id):
            waiting = [asyncio.create_task(hold(ann)) for _ in range(3)]
            for _ in range(3):
                await hold(ben)
            assert not any(task.done() for task in waiting)
        await asyncio.gather(*waiting)
    await narrow.close()
