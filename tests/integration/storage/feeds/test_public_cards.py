"""Public photos as JSON from their cards."""

from __future__ import annotations

import json
from typing import Any

import pytest

from storage.cache.cards import Cards
from storage.cache.counters import CounterCache
from storage.feeds.public_cards import PublicCards
from storage.models import PhotoAudience
from storage.postgres.database import Database
from storage.stores.photos import likes, photo_deletion
from tests.support.community import new_users, ready_photo

pytestmark = pytest.mark.engines


@pytest.mark.cluster
async def test_only_public_cards_are_rendered_with_the_likes_of_the_viewer(database: Database, redis: Any) -> None:
    """What is deleted or not public is left out, whatever was read about it before; the order is the one asked for."""
    ann, bob = await new_users(database, "ann", "bob")
    photos = [await ready_photo(database, ann) for _ in range(3)]
    private = await ready_photo(database, ann, audience=PhotoAudience.FOLLOWERS)
    async with database.transaction() as tx:
        await likes.add(tx, photo_id=photos[0].id, user_id=bob.id)
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, photos[1].id, author_id=ann.id)
    public = PublicCards(Cards(database, redis), CounterCache(database, redis))
    asked = [photos[2].id, photos[1].id, private.id, photos[0].id]
    for viewer, liked in ((bob.id, [False, True]), (ann.id, [False, False]), (None, [False, False])):
        rendered = [json.loads(photo) for photo in await public.render(asked, viewer)]
        assert [photo["liked"] for photo in rendered] == liked
        assert [photo["likes"] for photo in rendered] == [0, 1]
        assert all(photo["urls"] for photo in rendered)
    assert await public.render([], None) == []
