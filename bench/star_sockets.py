"""A photo of a star with a million followers until the last of 5,000 connected ones has it.

The yardstick, in the same rounds and on the same sockets, is the same photo of an author with these 5,000 followers
alone. The worker's handlers run in this process; the live server has a core to itself. The million are rows, of which
the others have no feed in Redis: what an announcement costs depends on none of them.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from bench.cores import assign_cores, raise_file_limit
from bench.crowd import add_followers
from bench.followers import follow
from bench.report import RATIO, Figure, figure, ratios
from bench.sockets.client.remote import Remote
from bench.sockets.service_stack import SETTLED, ServiceStack, service_stack
from storage.ids import SHARDS, SLOT_GROUPS, IdGenerator
from storage.models import StarState
from storage.stores.accounts import users
from storage.stores.social import stars

GROUP = "photo of a star → last socket"
LAST_GOAL, WORKER_GOAL = 1.2, 10.0
_AT_ONCE = 100
_BODY = b"x" * 900
# No accounts: an insertion finds that they have no feed and are offline.
_ONE_OF_EACH_GROUP = [group * SHARDS // SLOT_GROUPS for group in range(1, SLOT_GROUPS)] + [1]


@dataclass(kw_only=True)
class _Measured:
    """One value a round, in milliseconds."""

    star: list[float] = field(default_factory=list)
    ordinary: list[float] = field(default_factory=list)
    handler: list[float] = field(default_factory=list)
    insertions: list[float] = field(default_factory=list)


async def measure(*, quick: bool) -> list[Figure]:
    """Return both times, their ratio, and the worker's time for the star's photo."""
    # With fewer followers the author would be demoted after the first photo.
    followers, sockets, rounds, photos = (100_000, 500, 3, 3) if quick else (1_000_000, 5_000, 9, 8)
    raise_file_limit()
    cores = assign_cores(os.sched_getaffinity(0))
    measured = _Measured()
    async with AsyncExitStack() as stack:
        stack.enter_context(cores.other_cores_only())
        service = await stack.enter_async_context(service_stack(cores, sockets))
        star = await _star(service, followers)
        clients = await stack.enter_async_context(service.clients(0))
        await clients.call("connect_all", service.tokens(service.followers), _AT_ONCE)
        # For a few seconds after a feed is built, insertions verify the follow again; that is not the normal case.
        await asyncio.sleep(SETTLED)
        for number in range(rounds + 1):
            found = [await _round(service, clients, star) for _ in range(photos)]
            if number:  # the first round warms up
                for name, values in zip(
                    ("star", "ordinary", "handler", "insertions"), zip(*found, strict=True), strict=True
                ):
                    getattr(measured, name).append(sum(values) / photos * 1000)
    return _figures(measured, followers, sockets)


def _figures(measured: _Measured, followers: int, sockets: int) -> list[Figure]:
    return [
        figure(GROUP, f"star with {followers:,} followers, {sockets:,} of them connected", "ms", measured.star),
        figure(GROUP, f"author with {sockets:,} followers, all connected", "ms", measured.ordinary),
        figure(
            GROUP,
            "star : author",
            RATIO,
            ratios(measured.star, measured.ordinary),
            at_most=LAST_GOAL,
            limit="the same photo on the same sockets, with no follower besides them",
        ),
        figure(GROUP, "time of the worker for the star's photo", "ms", measured.handler),
        figure(GROUP, "one insertion in each slot group", "ms", measured.insertions),
        figure(
            GROUP,
            "time of the worker : one insertion in each slot group",
            RATIO,
            ratios(measured.handler, measured.insertions),
            at_most=WORKER_GOAL,
            limit="the script calls of a photo for 16 followers; the handler also reads the photo and its author",
        ),
    ]


async def _star(service: ServiceStack, followers: int) -> int:
    """Create an account that is a star, and that everyone with a connection follows, too; return its id."""
    db, feeds = service.stores.db, service.stores.feeds
    async with db.transaction() as tx:
        star = await users.create(tx, username="star", email="star@picshare.example", password_hash="", display_name="")
    await follow(db, star.id, service.followers)
    await add_followers(db, star.id, followers - len(service.followers))
    async with db.transaction() as tx:
        await stars.begin(tx, star.id, StarState.PROMOTING, after=await stars.standing(db, star.id))
    await feeds.star_logs.open(star.id)
    async with db.transaction() as tx:
        await stars.promoted(tx, star.id, (await stars.standing(tx, star.id)).change_id)
    return star.id


async def _round(service: ServiceStack, clients: Remote, star: int) -> tuple[float, float, float, float]:
    """Return the seconds of the star's photo, the other author's, the star's handler, and 16 insertions."""
    starred, handler = await _published(service, clients, star)
    ordinary, _ = await _published(service, clients, service.author)
    began = time.perf_counter()
    await service.stores.feeds.log.insert(IdGenerator().new(0), _ONE_OF_EACH_GROUP, _BODY)
    return starred, ordinary, handler, time.perf_counter() - began


async def _published(service: ServiceStack, clients: Remote, author: int) -> tuple[float, float]:
    photo = await service.new_photo(author)
    await clients.call("expect", 1)
    began = time.perf_counter()
    handler = await service.publish(photo, author)
    complete: float = await clients.call("wait_for_all")
    return complete - began, handler
