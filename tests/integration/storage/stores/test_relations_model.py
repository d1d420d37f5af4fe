"""Random follows, requests, blocks and mutes among a few users, compared with a model after every step."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from types import ModuleType

import pytest

from storage import events
from storage.errors import NotFoundError
from storage.events import Event, UserBlocked, UserFollowed, UserMuted, UserUnblocked, UserUnfollowed
from storage.models import Relation, User
from storage.postgres.database import Database
from storage.stores.social import blocks, follows, relations
from tests.support.community import new_user, new_users

pytestmark = pytest.mark.engines

STEPS = 150
Pair = tuple[int, int]


class Model:
    """The relations as sets of pairs, and the events of the last step."""

    def __init__(self, private: int) -> None:
        self.private = private
        self.follows: set[Pair] = set()
        self.requests: set[Pair] = set()
        self.blocks: set[Pair] = set()
        self.mutes: set[Pair] = set()
        self.events: list[Event] = []

    def follow(self, one: int, other: int) -> bool:
        """Follow, or request it of the private account."""
        if (one, other) in self.blocks or (other, one) in self.blocks:
            raise NotFoundError("user")
        if (one, other) in self.follows:
            return True
        if other != self.private:
            self._add_follow(one, other)
            return True
        if (one, other) not in self.requests:
            self.requests.add((one, other))
            self.events.append(UserFollowed(follower_id=one, followee_id=other, requested=True))
        return False

    def unfollow(self, one: int, other: int) -> bool:
        """End a follow or a request."""
        if (one, other) not in self.follows | self.requests:
            return False
        self.follows.discard((one, other))
        self.requests.discard((one, other))
        self.events.append(UserUnfollowed(follower_id=one, followee_id=other))
        return True

    def accept(self, one: int, other: int) -> None:
        """Accept the other's request."""
        self._end_request(other, one)
        self._add_follow(other, one, accepted=True)

    def decline(self, one: int, other: int) -> None:
        """Decline the other's request."""
        self._end_request(other, one)
        self.events.append(UserUnfollowed(follower_id=other, followee_id=one))

    def block(self, one: int, other: int) -> bool:
        """End what is between both, and block."""
        if (one, other) in self.blocks:
            return False
        self.blocks.add((one, other))
        self.unfollow(one, other)
        self.unfollow(other, one)
        self.events.append(UserBlocked(blocker_id=one, blocked_id=other))
        return True

    def unblock(self, one: int, other: int) -> bool:
        """End a block."""
        if (one, other) not in self.blocks:
            return False
        self.blocks.remove((one, other))
        self.events.append(UserUnblocked(blocker_id=one, blocked_id=other))
        return True

    def mute(self, one: int, other: int) -> bool:
        """Mute."""
        if (one, other) in self.mutes:
            return False
        self.mutes.add((one, other))
        self.events.append(UserMuted(muter_id=one, muted_id=other, muted=True))
        return True

    def unmute(self, one: int, other: int) -> bool:
        """End a mute."""
        if (one, other) not in self.mutes:
            return False
        self.mutes.remove((one, other))
        self.events.append(UserMuted(muter_id=one, muted_id=other, muted=False))
        return True

    def relation(self, one: int, other: int) -> Relation:
        """Return the relation of one user to another."""
        return Relation(
            following=(one, other) in self.follows,
            requested=(one, other) in self.requests,
            followed_by=(other, one) in self.follows,
            blocking=(one, other) in self.blocks,
            muting=(one, other) in self.mutes,
        )

    def _end_request(self, follower: int, followee: int) -> None:
        if (follower, followee) not in self.requests:
            raise NotFoundError("request")
        self.requests.remove((follower, followee))

    def _add_follow(self, one: int, other: int, *, accepted: bool = False) -> None:
        self.follows.add((one, other))
        self.events.append(UserFollowed(follower_id=one, followee_id=other, accepted=accepted))


STORES: dict[str, ModuleType] = {
    **dict.fromkeys(("follow", "unfollow", "accept", "decline"), follows),
    **dict.fromkeys(("block", "unblock", "mute", "unmute"), blocks),
}
ACTIONS = ("follow", "follow", "follow", "unfollow", "accept", "decline", "block", "unblock", "mute", "unmute")


async def _step(database: Database, model: Model, action: str, pair: Pair) -> None:
    """Do the same in both, and compare what they return."""
    model.events = []
    change: Callable[[int, int], bool | None] = getattr(model, action)
    try:
        expected = change(*pair)
    except NotFoundError as error:
        with pytest.raises(NotFoundError, match=str(error)):
            async with database.transaction() as tx:
                await getattr(STORES[action], action)(tx, *pair)
        return
    async with database.transaction() as tx:
        assert await getattr(STORES[action], action)(tx, *pair) == expected


async def _compare(database: Database, model: Model, people: list[User]) -> None:
    for table, columns, pairs in (
        ("following", "follower_id, followee_id", model.follows),
        ("followers", "follower_id, followee_id", model.follows),
        ("follow_requests", "follower_id, followee_id", model.requests),
        ("blocks WHERE outgoing", "owner_id, other_id", model.blocks),
        ("blocks WHERE NOT outgoing", "other_id, owner_id", model.blocks),
        ("mutes WHERE outgoing", "owner_id, other_id", model.mutes),
        ("mutes WHERE NOT outgoing", "other_id, owner_id", model.mutes),
    ):
        found = await database.fetch(f"SELECT {columns} FROM {table}")  # noqa: S608
        assert {tuple(row) for row in found} == pairs, table
    counted = {row["id"]: (row["followers"], row["following"]) for row in await database.fetch("SELECT * FROM users")}
    for user in people:
        followers = sum(followee == user.id for _, followee in model.follows)
        assert counted[user.id] == (followers, sum(follower == user.id for follower, _ in model.follows))
        separated = {a if b == user.id else b for a, b in model.blocks if user.id in (a, b)}
        assert sorted(await blocks.separated_ids(database, user.id)) == sorted(separated)
    emitted = await database.fetch("SELECT DISTINCT ON (event_id) id, topic, body FROM outbox ORDER BY event_id, id")
    found_events = [events.decode(row["topic"], row["body"]) for row in sorted(emitted, key=lambda row: row["id"])]
    assert found_events == model.events
    await database.fetch("DELETE FROM outbox")


@pytest.mark.parametrize("seed", [1, 2])
async def test_relations_are_those_of_the_model(database: Database, seed: int) -> None:
    """After every step the rows, counters and events are those of the model, also for all other users."""
    chance = random.Random(seed)
    people = [*await new_users(database, "ann", "ben", "cat"), await new_user(database, "dan", private=True)]
    await database.fetch("DELETE FROM outbox")
    model = Model(private=people[-1].id)
    pairs = list(itertools.permutations([user.id for user in people], 2))
    for _ in range(STEPS):
        action, pair = chance.choice(ACTIONS), chance.choice(pairs)
        await _step(database, model, action, pair)
        await _compare(database, model, people)
    for pair in pairs:
        assert await relations.relation(database, *pair) == model.relation(*pair)
        assert await blocks.blocked(database, *pair) == bool(model.blocks & {pair, pair[::-1]})
