"""Relations between users, and the home feed that follows them at once."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from structlog.testing import capture_logs

from server.actions.relations import RelationActions
from storage.errors import ConflictError, NotFoundError, UnavailableError
from storage.feeds.feeds import Feeds
from storage.models import Relation
from storage.postgres.database import Database
from storage.stores.social import relations
from tests.support.api import InspectableServices
from tests.support.eventually import DEADLINE
from tests.support.gallery import Gallery
from tests.support.locks import wait_for_blocked_transaction
from workers.broker.routing import queues_of
from workers.jobs.live.permissions import LivePermissions

pytestmark = pytest.mark.engines


async def feed_of(services: InspectableServices, user_id: int) -> list[int]:
    """Return the photo ids of a home feed as Redis has it, building it if there is none."""
    await services.stores.feeds.ensure(user_id)
    view = await services.stores.feeds.log.read(user_id)
    assert view is not None
    return sorted(entry.id for entry in view.entries)


async def test_following_and_muting_change_the_feed_at_once(services: InspectableServices) -> None:
    """The author's photos enter the feed with a follow, and leave it with a mute and an unfollow."""
    gallery, actions = Gallery(services.db), services.actions.relations
    author_id, viewer_id = await gallery.user(), await gallery.user()
    photo_id = await gallery.photo(author_id)
    assert await feed_of(services, viewer_id) == []
    assert await actions.follow(viewer_id, author_id)
    assert await feed_of(services, viewer_id) == [photo_id]
    assert await actions.mute(viewer_id, author_id)
    assert await feed_of(services, viewer_id) == []
    assert await actions.unmute(viewer_id, author_id)
    assert await feed_of(services, viewer_id) == [photo_id]
    assert await actions.unfollow(viewer_id, author_id)
    assert await feed_of(services, viewer_id) == []
    assert not await actions.unfollow(viewer_id, author_id)


async def test_a_private_account_decides_about_requests(services: InspectableServices) -> None:
    """A follow of a private account is a request, which is accepted or declined once; the feed changes at once."""
    gallery, actions = Gallery(services.db), services.actions.relations
    owner_id = await gallery.user(private=True)
    accepted, declined = await gallery.user(), await gallery.user()
    photo_id = await gallery.photo(owner_id)
    for user_id in (accepted, declined):
        assert not await actions.follow(user_id, owner_id)
        assert await feed_of(services, user_id) == []
    await actions.accept(owner_id, accepted)
    await actions.decline(owner_id, declined)
    assert await feed_of(services, accepted) == [photo_id]
    assert await feed_of(services, declined) == []
    for decide in (actions.accept, actions.decline):
        with pytest.raises(NotFoundError):
            await decide(owner_id, declined)


async def test_a_block_ends_follows_both_ways(services: InspectableServices) -> None:
    """After a block neither follows the other, and removing it does not bring the follows back."""
    gallery, actions = Gallery(services.db), services.actions.relations
    one, other = await gallery.user(), await gallery.user()
    await actions.follow(one, other)
    await actions.follow(other, one)
    assert await actions.block(one, other)
    assert not await actions.block(one, other)
    with pytest.raises(NotFoundError):
        await actions.follow(other, one)
    assert await actions.unblock(one, other)
    assert await relations.relation(services.db, one, other) == Relation()


async def test_nobody_relates_to_themselves(services: InspectableServices) -> None:
    """Following, blocking and muting oneself are conflicts with codes of their own."""
    gallery, actions = Gallery(services.db), services.actions.relations
    user_id = await gallery.user()
    for act in (actions.follow, actions.block, actions.mute):
        with pytest.raises(ConflictError) as caught:
            await act(user_id, user_id)
        assert caught.value.code == f"cannot_{act.__name__}_yourself"


async def test_follows_of_one_user_leave_connections_to_others(
    services: InspectableServices, database_dsn: str
) -> None:
    """While follows wait for a user's row, the pool's connections are free; then all are carried out."""
    gallery, actions = Gallery(services.db), services.actions.relations
    famous_id, *fans = [await gallery.user() for _ in range(17)]
    other = await Database.connect(database_dsn, routes=queues_of, min_size=1, max_size=2)
    async with other.transaction() as tx:
        await tx.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", famous_id)
        waiting = [asyncio.create_task(actions.follow(fan_id, famous_id)) for fan_id in fans]
        await wait_for_blocked_transaction(other)
        assert await asyncio.wait_for(actions.follow(fans[0], fans[1]), DEADLINE)
    assert all(await asyncio.gather(*waiting))
    await other.close()


class _Unavailable:
    """Feeds whose Redis is unavailable."""

    async def align_author(self, viewer_id: int, author_id: int) -> None:
        """Fail."""
        raise UnavailableError("redis", "down")


async def test_an_outage_leaves_the_feed_to_the_worker(services: InspectableServices) -> None:
    """The follow is committed, so the request succeeds, and the log says what is late."""
    gallery = Gallery(services.db)
    author_id, viewer_id = await gallery.user(), await gallery.user()
    actions = RelationActions(services.db, cast(Feeds, _Unavailable()), cast(LivePermissions, None))
    with capture_logs() as logs:
        assert await actions.follow(viewer_id, author_id)
    assert [entry["event"] for entry in logs] == ["feed_not_updated"]
    assert await relations.relation(services.db, viewer_id, author_id) == Relation(following=True)
