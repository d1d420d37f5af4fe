"""Accounts that are suspended or deleted: one message to the connected followers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from storage.events import UserChanged
from storage.ids import encode
from storage.models import StarState, User
from storage.postgres.database import Database
from storage.stores.accounts import account_deletion, account_restrictions, users
from storage.stores.social import stars
from tests.support.community import follow, new_user, new_users, ready_photo
from tests.support.stage import Stage, start_clean
from workers.jobs.feeds.follower_publications import FollowerPublications
from workers.jobs.feeds.hidden_accounts import HiddenAccounts

pytestmark = pytest.mark.engines


@pytest.fixture
async def stage(database: Database, redis: Any) -> AsyncIterator[Stage]:
    """The workers, for which three followers make a star."""
    stage = Stage(database, redis, star_followers=3)
    await stage.open()
    yield stage
    await stage.close()


async def hide(stage: Stage, user: User, how: str) -> None:
    """Suspend an account, or delete it with or without a grace period."""
    async with stage.database.transaction() as tx:
        if how == "suspended":
            await account_restrictions.suspend(tx, user.id)
        elif how == "scheduled":
            await account_deletion.schedule(tx, user.id, grace=timedelta(days=1))
        else:
            await users.remove(tx, user.id)


async def recipients(stage: Stage, user: User) -> list[int]:
    """Return the recipients of "account.hidden" about a user since the last call; each message has no offset."""
    about = {"type": "account.hidden", "user_id": encode(user.id)}
    found = [each for each in await stage.deliveries() if "data" in each.body and each.document == about]
    assert {(each.offset, each.body["stream"]) for each in found} <= {(0, "feed")}
    return [each.user_id for each in found]


@pytest.mark.parametrize("how", ["suspended", "scheduled", "deleted"])
async def test_followers_learn_it_once(stage: Stage, how: str) -> None:
    """One message for each follower, whatever the number of photos, and none to others."""
    ann, bob, eve = await new_users(stage.database, "ann", "bob", "eve")
    await follow(stage.database, bob, ann)
    await follow(stage.database, ann, eve)
    for _ in range(3):
        await ready_photo(stage.database, ann)
    await start_clean(stage, ann, bob, eve)
    await hide(stage, ann, how)
    await stage.pump()
    assert await recipients(stage, ann) == [bob.id]


async def test_an_account_that_is_shown_again_is_not_hidden(stage: Stage) -> None:
    """The event may be handled after the suspension has ended."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    await follow(stage.database, bob, ann)
    await start_clean(stage, ann, bob)
    await hide(stage, ann, "suspended")
    async with stage.database.transaction() as tx:
        await account_restrictions.reinstate(tx, ann.id)
    await stage.pump()
    assert await recipients(stage, ann) == []


async def test_all_followers_are_read_in_chunks(stage: Stage) -> None:
    """No follower is left out or served twice between two chunks."""
    ann = await new_user(stage.database, "ann")
    followers = [await new_user(stage.database, f"follower{number}") for number in range(5)]
    for follower in followers:
        await follow(stage.database, follower, ann)
    await start_clean(stage, ann, *followers)
    async with stage.database.transaction() as tx:
        await account_restrictions.suspend(tx, ann.id)
    followers_of = FollowerPublications(stage.database, stage.publisher, chunk=2)
    await HiddenAccounts(stage.database, followers_of).publish(ann.id)
    assert sorted(await recipients(stage, ann)) == sorted(follower.id for follower in followers)


async def test_a_star_is_announced_as_hidden(stage: Stage) -> None:
    """One message a slot group, which names the star instead of the followers."""
    ann = await new_user(stage.database, "ann")
    followers = [await new_user(stage.database, f"follower{number}") for number in range(4)]
    for follower in followers:
        await follow(stage.database, follower, ann)
    await ready_photo(stage.database, ann)
    await start_clean(stage, ann, *followers)
    assert (await stars.standing(stage.database, ann.id)).state is StarState.STAR
    await hide(stage, ann, "suspended")
    await stage.fanout.handlers()["user.changed"](UserChanged(user_id=ann.id, suspended=True))
    assert await recipients(stage, ann) == [ann.id] * 16
