"""Changes of lists that meet other changes of the same account."""

from __future__ import annotations

import asyncio

import pytest

from storage.errors import NotFoundError
from storage.postgres.database import Database
from storage.stores.social import lists
from tests.support.api import InspectableServices
from tests.support.eventually import DEADLINE
from tests.support.gallery import Gallery
from tests.support.locks import wait_for_blocked_transaction
from workers.broker.routing import queues_of

pytestmark = pytest.mark.engines


async def test_additions_of_one_account_leave_connections_to_others(
    services: InspectableServices, database_dsn: str
) -> None:
    """While additions wait for an account's row, the pool's connections are free; then all are carried out."""
    gallery, actions = Gallery(services.db), services.actions.lists
    famous_id, *owners = [await gallery.user() for _ in range(17)]
    own = {}
    for owner_id in owners:
        async with services.db.transaction() as tx:
            own[owner_id] = (await actions.create(tx, owner_id, title="Friends")).id
    other = await Database.connect(database_dsn, routes=queues_of, min_size=1, max_size=2)
    async with other.transaction() as tx:
        await tx.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", famous_id)
        waiting = [asyncio.create_task(actions.add(owner_id, own[owner_id], famous_id)) for owner_id in owners]
        await wait_for_blocked_transaction(other)
        one, two = owners[-2:]
        assert await asyncio.wait_for(actions.add(one, own[one], two), DEADLINE)
    assert all(await asyncio.gather(*waiting))
    await other.close()


async def test_an_addition_to_a_list_that_is_being_deleted(services: InspectableServices, database_dsn: str) -> None:
    """It waits for the deletion, and then finds no list."""
    gallery, actions = Gallery(services.db), services.actions.lists
    owner_id, account_id = await gallery.user(), await gallery.user()
    async with services.db.transaction() as tx:
        list_id = (await actions.create(tx, owner_id, title="Friends")).id
    other = await Database.connect(database_dsn, routes=queues_of, min_size=1, max_size=2)
    async with other.transaction() as tx:
        await lists.delete(tx, list_id, owner_id=owner_id)
        adding = asyncio.create_task(actions.add(owner_id, list_id, account_id))
        await wait_for_blocked_transaction(other)
    with pytest.raises(NotFoundError) as error:
        await adding
    assert error.value.what == "list"
    await other.close()


async def test_additions_and_removals_say_whether_they_changed_the_list(services: InspectableServices) -> None:
    """A repetition changes nothing."""
    gallery, actions = Gallery(services.db), services.actions.lists
    owner_id, account_id = await gallery.user(), await gallery.user()
    async with services.db.transaction() as tx:
        list_id = (await actions.create(tx, owner_id, title="Friends")).id
    assert [await actions.add(owner_id, list_id, account_id) for _ in range(2)] == [True, False]
    assert [await actions.remove(owner_id, list_id, account_id) for _ in range(2)] == [True, False]
