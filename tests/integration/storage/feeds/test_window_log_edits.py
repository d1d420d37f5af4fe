"""Window logs: building, merging, dropping, trimming and expiry."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from server.composition.delivery import delivery_script
from storage.feeds.log_format import AT_HEADER
from storage.feeds.window_log import TIME_TO_LIVE, Building, Filled, WindowLog
from storage.ids import IdGenerator
from storage.redis.client import open_redis
from tests.support.driver_commands import commands
from tests.support.listener import Listener
from tests.support.window_logs import ANN, BOB, entries, ids_of, now_of, set_edited, since, start

pytestmark = [pytest.mark.engines, pytest.mark.cluster]


async def test_merge_is_contiguous_and_silent(log: WindowLog, live: Listener) -> None:
    """An author's photos are merged without publication, and only down to the log's lowest entry."""
    await live.listen(ANN, BOB)
    await start(log, ANN, ids=(100, 200), complete=False)
    await start(log, BOB, ids=(100, 200))
    for user in (ANN, BOB):
        await log.merge(user, [50, 100, 150, 250])
    assert await ids_of(log, ANN) == [100, 150, 200, 250]
    assert await ids_of(log, BOB) == [50, 100, 150, 200, 250]
    head = await log.head(ANN)
    assert head is not None
    assert await since(log, ANN, head.epoch, head.floor) == []
    assert await live.received() == []


async def test_merge_beyond_the_window(log: WindowLog) -> None:
    """A merge that exceeds the window keeps the newest entries, and the log is no longer complete."""
    await start(log, ANN, ids=tuple(range(0, 40, 2)))
    await log.merge(ANN, list(range(1, 41, 2)))
    view = await log.read(ANN)
    assert view is not None
    assert ([entry.id for entry in view.entries], view.complete) == (list(range(20, 40)), False)


async def test_drop(log: WindowLog) -> None:
    """An author's photos are dropped without publication, and positions stay valid."""
    await start(log, ANN, ids=(1, 2, 3))
    await log.insert(4, [ANN], b"body")
    await log.insert(5, [ANN], b"body")
    head = await log.head(ANN)
    assert head is not None
    await log.drop(ANN, [2, 4, 77])
    assert await ids_of(log, ANN) == [1, 3, 5]
    after = await log.head(ANN)
    assert after is not None
    assert (after.epoch, after.top, after.floor) == (head.epoch, head.top, head.floor)
    await log.drop(ANN, [1, 3, 5])
    await log.insert(6, [ANN], b"body")
    assert await ids_of(log, ANN) == [6]


async def test_building_loses_nothing(log: WindowLog) -> None:
    """What is published or removed during a build is in the log afterwards and can be recovered."""
    building = await log.begin(ANN)
    await log.insert(30, [ANN], b"body")
    await log.remove(10, [ANN], b"body")
    assert (await log.fill(ANN, building, [20, 10], complete=True))[0] is Filled.DONE
    assert await ids_of(log, ANN) == [20, 30]
    came = await since(log, ANN, building.epoch, building.epoch)
    assert came is not None
    assert [(entry.id, entry.removed) for entry in came] == [(30, False), (10, True)]


async def test_one_builder(log: WindowLog, redis: Any) -> None:
    """One of many callers builds a missing log; after ten seconds without an end another one may."""
    begun = await asyncio.gather(*(log.begin(ANN) for _ in range(20)))
    assert [building.mine for building in begun].count(True) == 1
    assert len({building.epoch for building in begun}) == 1
    await set_edited(redis, log, ANN, await now_of(redis) - 9)
    assert not (await log.begin(ANN)).mine
    await set_edited(redis, log, ANN, await now_of(redis) - 11)
    await log.drop(ANN, [5])  # an edit does not prolong a build
    again = await log.begin(ANN)
    assert again.mine
    stale, _ = await log.fill(ANN, begun[0], [1], complete=True)
    assert stale is Filled.LOST
    assert (await log.fill(ANN, again, [2], complete=True))[0] is Filled.DONE
    assert await ids_of(log, ANN) == [2]
    assert not (await log.begin(ANN)).mine


async def test_fill_is_refused_after_an_edit(log: WindowLog) -> None:
    """A follow or unfollow during a build makes the builder read the database again."""
    building = await log.begin(ANN)
    await log.drop(ANN, [1])
    filled, building = await log.fill(ANN, building, [1, 2], complete=True)
    assert filled is Filled.CHANGED
    assert (await log.fill(ANN, building, [2], complete=True))[0] is Filled.DONE
    assert await ids_of(log, ANN) == [2]


async def test_the_number_of_edits_wraps_around(log: WindowLog, redis: Any) -> None:
    """The number has two bytes; the edit after the greatest number is noted like any other."""
    building = await log.begin(ANN)
    await commands(redis).setrange(log.key(ANN), AT_HEADER + 2, b"\xff\xff")
    building = replace(building, edits=65535)
    await log.merge(ANN, [7])
    filled, building = await log.fill(ANN, building, [5], complete=True)
    assert (filled, building.edits) == (Filled.CHANGED, 0)
    assert (await log.fill(ANN, building, [5, 7], complete=True))[0] is Filled.DONE
    assert await ids_of(log, ANN) == [5, 7]


async def test_drop_of_the_last_entry(log: WindowLog, redis: Any) -> None:
    """An incomplete log that loses its last entry is deleted; a complete one stays, since nothing older exists."""
    await start(log, ANN, ids=(100, 200), complete=False)
    await start(log, BOB, ids=(100, 200))
    for user in (ANN, BOB):
        await log.drop(user, [100])
        assert await ids_of(log, user) == [200]
        await log.drop(user, [200])
    assert await log.read(ANN) is None
    await log.insert(150, [ANN, BOB], b"body")
    assert await commands(redis).exists(log.key(ANN)) == 0
    assert await ids_of(log, BOB) == [150]


async def test_drop_during_a_build(log: WindowLog) -> None:
    """A photo inserted during a build is dropped when its author is unfollowed before the end of the build."""
    building = await log.begin(ANN)
    await log.insert(30, [ANN], b"body")
    await log.insert(40, [ANN], b"body")
    await log.drop(ANN, [30])
    filled, building = await log.fill(ANN, building, [20, 30], complete=False)
    assert filled is Filled.CHANGED
    assert (await log.fill(ANN, building, [20], complete=False))[0] is Filled.DONE
    assert await ids_of(log, ANN) == [20, 40]


async def test_entry_below_the_list_raises_the_floor(log: WindowLog) -> None:
    """An entry inserted during a build and cut off below an incomplete list can only be recovered by reading again."""
    building = await log.begin(ANN)
    await log.insert(5, [ANN], b"body")
    head = await log.head(ANN)
    assert head is not None
    await log.insert(30, [ANN], b"body")
    assert (await log.fill(ANN, building, [20, 25], complete=False))[0] is Filled.DONE
    assert await ids_of(log, ANN) == [20, 25, 30]
    assert await since(log, ANN, building.epoch, building.epoch) is None
    assert await since(log, ANN, building.epoch, head.top - 1) is None
    came = await since(log, ANN, building.epoch, head.top)
    assert came is not None
    assert [entry.id for entry in came] == [30]


@pytest.mark.parametrize("edit", ["merge", "drop", "fill", "begin"])
async def test_recent_edit_is_reported(log: WindowLog, live: Listener, redis: Any, edit: str) -> None:
    """An insertion leaves logs alone that were edited or built a moment ago, and those that are being built."""
    await live.listen(ANN, BOB)
    await start(log, ANN, BOB, ids=(1, 2))
    for user in (ANN, BOB):
        await set_edited(redis, log, user, await now_of(redis) - 6)
    if edit == "merge":
        await log.merge(ANN, [3])
    elif edit == "drop":
        await log.drop(ANN, [2])
    elif edit == "fill":
        await log.discard(ANN)
        building = await log.begin(ANN)
        await set_edited(redis, log, ANN, await now_of(redis) - 6)
        await log.fill(ANN, building, [1], complete=True)
    else:
        await log.discard(ANN)
        await log.begin(ANN)
        await set_edited(redis, log, ANN, await now_of(redis) - 6)
    inserted = await log.insert(7, [ANN, BOB], b"body", min_age=5)
    assert (inserted.feeds, inserted.online, list(inserted.recently_edited)) == (1, 1, [ANN])
    assert [message.user_ids for message in await live.received()] == [[BOB]]
    assert 7 in await ids_of(log, BOB)
    assert 7 not in await ids_of(log, ANN)


async def test_another_epoch(log: WindowLog) -> None:
    """A rebuilt log has a later epoch and greater offsets."""
    await start(log, ANN, ids=(1,))
    await log.insert(2, [ANN], b"body")
    first = await log.head(ANN)
    await start(log, ANN, ids=(1, 2))
    second = await log.head(ANN)
    assert first is not None
    assert second is not None
    assert second.epoch > first.epoch
    assert second.top > first.top
    assert await since(log, ANN, first.epoch, first.top) is None


async def test_full_feed_is_small(redis: Any) -> None:
    """A full feed of 500 takes at most 10 KB while photos are inserted."""
    log, maker = WindowLog(redis, "feed", delivery_script(redis), window=500), IdGenerator()
    await start(log, ANN)
    await log.merge(ANN, [maker.new(1) for _ in range(500)])
    for _ in range(40):
        await log.insert(maker.new(1), [ANN], b"body")
        assert await commands(redis).memory_usage(log.key(ANN)) <= 10_000
    assert 500 <= len(await entries(log, ANN)) <= 508


async def test_time_to_live(log: WindowLog, redis: Any) -> None:
    """A log expires 14 days after its last read; insertions do not extend its time to live."""
    await start(log, ANN)
    await commands(redis).expire(log.key(ANN), 100)
    for photo in range(1, 30):
        await log.insert(photo, [ANN], b"body")
    assert 0 < await commands(redis).ttl(log.key(ANN)) <= 100
    await log.head(ANN)
    assert await commands(redis).ttl(log.key(ANN)) > 13 * 86400


async def test_no_change_makes_a_log_permanent(log: WindowLog, redis: Any) -> None:
    """A build, a merge, a drop and an insertion deep inside keep the time to live: logs that are not read expire."""
    building = await log.begin(ANN)
    await log.fill(ANN, building, list(range(10, 22)), complete=True)
    assert 0 < await commands(redis).ttl(log.key(ANN)) <= TIME_TO_LIVE
    await commands(redis).expire(log.key(ANN), 100)
    for change in (log.merge(ANN, [30]), log.drop(ANN, [15]), log.insert(5, [ANN], b"body")):
        await change
        assert 0 < await commands(redis).ttl(log.key(ANN)) <= 100
    await log.open(ANN)
    assert await commands(redis).ttl(log.key(ANN)) > TIME_TO_LIVE - 100
    assert await ids_of(log, ANN) == [5, *range(10, 15), *range(16, 22), 30]


def test_incomplete_list_has_ids() -> None:
    """An empty list that is not complete is a mistake of the caller."""
    redis = open_redis("redis://unused")
    log = WindowLog(redis, "feed", delivery_script(redis))
    with pytest.raises(ValueError, match="at least one"):
        asyncio.run(log.fill(ANN, Building(epoch=1, mine=True, edits=0), [], complete=False))
