"""The number of database round trips of a like, from the API's transaction to the owner's live connection."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from storage import events
from tests.support.community import new_users, ready_photo
from tests.support.eventually import DEADLINE
from tests.support.stage import Stage, start_clean
from tests.support.statements import StatementLog
from workers.broker.claims import ClaimConnection
from workers.broker.outcomes import JobStatus, Outcome

pytestmark = pytest.mark.engines


@pytest.mark.parametrize("others", [0, 1])
async def test_a_like_takes_fifteen_round_trips(stage: Stage, others: int) -> None:
    """A like takes 15 statements from its transaction to the notification, also where others like the photo too."""
    ann, bob, *cats = await new_users(stage.database, "ann", "bob", *["cat"][:others])
    photo = await ready_photo(stage.database, ann)
    for cat in cats:
        await stage.like(cat, photo)
    await start_clean(stage, ann)
    log = await StatementLog.open(stage.database, connections=8)
    async with AsyncExitStack() as stack:
        claims = await ClaimConnection.open(stage.database)
        stack.push_async_callback(claims.close)
        await log.take()

        await stage.like(bob, photo)
        writing = await log.take()
        async with asyncio.timeout(DEADLINE):
            while "pg_notify" not in writing[-1]:
                writing += await log.take()
        message = await claims.claim("notify")
        assert message is not None
        claiming = await log.take()
        await stage.notify.handlers()[message.topic](events.decode(message.topic, message.body))
        *handling, release = await log.take()
        await claims.finish(Outcome(status=JobStatus.DONE))
        finishing = await log.take()

    (delivery,) = await stage.deliveries(ann)
    assert delivery.document["notification"]["count"] == 1 + others
    assert len(writing) == 5, writing  # BEGIN, the like, its event, COMMIT; NOTIFY
    assert len(claiming) == 2, claiming  # BEGIN, SELECT ... FOR UPDATE
    # The counters; the inbox's lock, BEGIN, the like and its place, the accounts, the change, the entry, COMMIT.
    assert len(handling) == 8, handling
    assert release == "ROLLBACK"
    assert len(finishing) == 2, finishing  # DELETE, COMMIT
