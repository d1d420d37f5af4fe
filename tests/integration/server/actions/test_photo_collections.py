"""Changes of collections that meet the deletion of the collection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from server.actions.photo_collections import CollectionActions
from storage.errors import NotFoundError
from storage.postgres.database import Database
from storage.stores.saved import photo_collections
from tests.support.api import InspectableServices
from tests.support.gallery import Gallery
from tests.support.locks import wait_for_blocked_transaction
from workers.broker.routing import queues_of

pytestmark = pytest.mark.engines

Change = Callable[[CollectionActions, int, int, int], Coroutine[Any, Any, None]]


async def add(actions: CollectionActions, owner_id: int, collection_id: int, photo_id: int) -> None:
    """Put a photo into a collection."""
    await actions.add(owner_id, collection_id, photo_id)


async def move(actions: CollectionActions, owner_id: int, collection_id: int, photo_id: int) -> None:
    """Move a photo to the front."""
    await actions.move(owner_id, collection_id, photo_id, after_id=None)


async def rename(actions: CollectionActions, owner_id: int, collection_id: int, photo_id: int) -> None:
    """Change the title."""
    await actions.edit(owner_id, collection_id, title="Other", order=[photo_id])


@pytest.mark.parametrize("change", [add, move, rename])
async def test_a_change_of_a_collection_that_is_being_deleted(
    services: InspectableServices, database_dsn: str, change: Change
) -> None:
    """It waits for the deletion, and then finds no collection."""
    gallery, actions = Gallery(services.db), services.actions.collections
    owner_id = await gallery.user()
    photo_id, moved_id = await gallery.photo(owner_id), await gallery.photo(owner_id)
    async with services.db.transaction() as tx:
        collection_id = (await actions.create(tx, owner_id, title="Best", public=False)).id
    await actions.add(owner_id, collection_id, moved_id)
    other = await Database.connect(database_dsn, routes=queues_of, min_size=1, max_size=2)
    async with other.transaction() as tx:
        await photo_collections.delete(tx, collection_id, owner_id=owner_id)
        changing = asyncio.create_task(
            change(actions, owner_id, collection_id, photo_id if change is add else moved_id)
        )
        await wait_for_blocked_transaction(other)
    with pytest.raises(NotFoundError) as error:
        await changing
    assert error.value.what == "collection"
    await other.close()
