"""Window logs in a real Redis and a real Valkey."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from storage.ids import IdMaker
from storage.log_format import AT_HEADER, Entry
from storage.window_log import Building, Filled, WindowLog
from tests.support.listener import Listener, announcement

pytestmark = pytest.mark.engines

# People of one slot group, and one of another.
ANN, BOB, CAT, DAN = 64 * 1024 + 1, 64 * 1024 + 2, 64 * 1024 + 3, 64 * 1024 + 1000


@pytest.fixture
def log(redis: Any) -> WindowLog:
    """Logs with a window of 20, so that trimming is near."""
    return WindowLog(redis, "feed", window=20)


@pytest.fixture
async def live(redis: Any) -> AsyncIterator[Listener]:
    """A live process to which nobody is connected yet."""
    listener = Listener(redis, b"process1")
    await listener.listen()
    yield listener
    await listener.close()


async def start(log: WindowLog, *people: int, ids: tuple[int, ...] = (), complete: bool = True) -> None:
    """Build logs with ids that were never announced."""
    for person in people:
        building = await log.begin(person, anew=True)
        assert (await log.fill(person, building, ids, complete=complete))[0] is Filled.DONE


async def entries(log: WindowLog, person: int) -> list[Entry]:
    """Return a log's entries."""
    view = await log.read(person)
    assert view is not None
    return list(view.entries)


async def ids_of(log: WindowLog, person: int) -> list[int]:
    """Return a log's ids, oldest first, removed ones left out."""
    return [entry.id for entry in await entries(log, person) if not entry.removed]


async def test_one_offset_for_all(log: WindowLog, live: Listener) -> None:
    """Everybody in a call gets the same offset, and those online hear it once, in one message of their process."""
    await live.listen(ANN, CAT)
    await start(log, ANN, BOB, CAT)
    inserted = await log.insert(7, [ANN, BOB, CAT], announcement(b"photo 7"))
    assert (inserted.feeds, inserted.online, inserted.processes) == (3, 2, 1)
    offsets = {(await entries(log, person))[0].offset for person in (ANN, BOB, CAT)}
    [heard] = await live.heard()
    assert (heard.people, heard.body) == ([ANN, CAT], b"photo 7")
    assert offsets == {heard.offset}


async def test_every_process_and_group_is_told(log: WindowLog, redis: Any, live: Listener) -> None:
    """A person with two processes is told in both, and people of another slot group by a message of their own."""
    other = Listener(redis, b"process2")
    await live.listen(ANN, DAN)
    await other.listen(ANN)
    await start(log, ANN, DAN)
    inserted = await log.insert(7, [ANN, DAN], announcement())
    assert (inserted.feeds, inserted.online, inserted.processes) == (2, 2, 3)
    assert sorted(heard.people for heard in await live.heard()) == [[ANN], [DAN]]
    assert [heard.people for heard in await other.heard()] == [[ANN]]
    await other.close()


async def test_offsets_grow_when_the_clock_steps_back(log: WindowLog, redis: Any) -> None:
    """An offset is above everything that any of the logs has had, even if the clock says otherwise."""
    await start(log, ANN, BOB)
    future = (1 << 52).to_bytes(8, "big")
    await redis.setrange(log.key(BOB), AT_HEADER + 8, future)
    await log.insert(7, [ANN, BOB], announcement())
    for person in (ANN, BOB):
        assert [entry.offset for entry in await entries(log, person)] == [(1 << 52) + 1]


async def test_repeat_changes_and_tells_nothing(log: WindowLog, live: Listener) -> None:
    """A chunk that is delivered again leaves the logs as they are and is not announced, however old its id."""
    await live.listen(ANN)
    await start(log, ANN)
    for photo in (3, 5, 9):
        await log.insert(photo, [ANN], announcement())
    before = await entries(log, ANN)
    await live.heard()
    for photo in (9, 5, 3):
        assert (await log.insert(photo, [ANN], announcement())).feeds == 0
    assert await entries(log, ANN) == before
    assert await live.heard() == []


async def test_merged_photo_is_still_announced(log: WindowLog, live: Listener) -> None:
    """A photo that a follow or a rebuild brought before its own announcement came is announced once all the same."""
    await live.listen(ANN)
    await start(log, ANN, ids=(3, 4))
    head = await log.head(ANN)
    assert head is not None
    assert (await log.insert(3, [ANN], announcement())).feeds == 1
    assert (await log.insert(3, [ANN], announcement())).feeds == 0
    [heard] = await live.heard()
    assert await log.since(ANN, head.epoch, head.top) == [Entry(offset=heard.offset, id=3)]
    assert await ids_of(log, ANN) == [3, 4]


async def test_what_a_merge_was_quicker_with_is_still_told(log: WindowLog, live: Listener) -> None:
    """An id that a follow or a rebuild brought before its own announcement is announced once, in its place."""
    await live.listen(ANN)
    await start(log, ANN, ids=(3, 5))
    await log.merge(ANN, [4])
    for _ in range(2):
        await log.insert(4, [ANN], announcement(b"photo 4"))
    [heard] = await live.heard()
    assert [(entry.id, entry.offset) for entry in await entries(log, ANN)] == [(3, 0), (4, heard.offset), (5, 0)]


async def test_no_log_is_born_by_an_insertion(log: WindowLog, redis: Any, live: Listener) -> None:
    """People without a log get none, since it would lack all that came before; who is online is still told."""
    await live.listen(ANN)
    inserted = await log.insert(7, [ANN, BOB], announcement())
    assert (inserted.feeds, inserted.online) == (0, 1)
    assert await redis.exists(log.key(ANN), log.key(BOB)) == 0
    assert [heard.people for heard in await live.heard()] == [[ANN]]


async def test_ids_stand_in_order(log: WindowLog) -> None:
    """A photo that is inserted late stands where its id belongs, and is recovered when it came."""
    await start(log, ANN)
    for photo in (10, 30, 20):
        await log.insert(photo, [ANN], announcement())
    assert await ids_of(log, ANN) == [10, 20, 30]
    view = await log.read(ANN)
    assert view is not None
    came = view.since(view.epoch, view.floor)
    assert came is not None
    assert [entry.id for entry in came] == [10, 30, 20]


async def test_63_bits_are_kept(log: WindowLog) -> None:
    """Ids that differ only in the bits that a double cannot hold stay apart and in order."""
    high = (1 << 63) - 1
    ids = [high - 3, high - 1, high, high - 2, high - 1 - (1 << 32), 1 << 31, (1 << 32) + 1, 1 << 32]
    await start(log, ANN)
    for photo in ids:
        await log.insert(photo, [ANN], announcement())
    assert await ids_of(log, ANN) == sorted(ids)


async def test_window_is_trimmed(log: WindowLog) -> None:
    """A log keeps between a window and eight more, all the newest, and what was dropped can no longer be recovered."""
    await start(log, ANN)
    head = await log.head(ANN)
    assert head is not None
    for photo in range(1, 51):
        await log.insert(photo, [ANN], announcement())
        count = len(await entries(log, ANN))
        assert count == photo if photo <= 20 else 20 <= count <= 28
    view = await log.read(ANN)
    assert view is not None
    assert not view.complete
    assert [entry.id for entry in view.entries] == list(range(51 - len(view.entries), 51))
    assert view.since(head.epoch, head.top) is None
    assert await log.since(ANN, view.epoch, view.floor) == list(view.entries)


async def test_older_than_the_window_stays_out(log: WindowLog, live: Listener) -> None:
    """A late photo below the lowest id would hide a hole: it is only announced, and nobody away recovers past it."""
    await live.listen(ANN)
    await start(log, ANN, ids=tuple(range(100, 120)), complete=False)
    await log.insert(200, [ANN], announcement())
    before = await log.head(ANN)
    assert before is not None
    assert (await log.insert(50, [ANN], announcement())).online == 1
    assert await ids_of(log, ANN) == [*range(100, 120), 200]
    _, late = await live.heard()
    assert await log.since(ANN, before.epoch, before.top) is None
    assert await log.since(ANN, before.epoch, late.offset) == []


async def test_complete_log_takes_older_ids(log: WindowLog) -> None:
    """Where nothing older exists, a late photo is the oldest of the log."""
    await start(log, ANN, ids=(100,))
    await log.insert(50, [ANN], announcement())
    assert await ids_of(log, ANN) == [50, 100]


async def test_removal_is_recovered(log: WindowLog, live: Listener) -> None:
    """A removed photo leaves the page and is told to those online, and to who was away by recovery."""
    await live.listen(ANN)
    await start(log, ANN)
    await log.insert(7, [ANN], announcement())
    await log.insert(8, [ANN], announcement())
    head = await log.head(ANN)
    assert head is not None
    assert (await log.remove(7, [ANN], announcement(b"gone"))).feeds == 1
    assert await ids_of(log, ANN) == [8]
    came = await log.since(ANN, head.epoch, head.top)
    assert came is not None
    *_, heard = await live.heard()
    assert came == [Entry(offset=heard.offset, id=7, removed=True)]
    assert heard.body == b"gone"


async def test_removed_photo_never_returns(log: WindowLog, live: Listener) -> None:
    """An insertion that arrives after the removal changes nothing, also where the removal came first."""
    await live.listen(ANN)
    await start(log, ANN)
    await log.insert(7, [ANN], announcement())
    await log.remove(7, [ANN], announcement())
    await log.remove(8, [ANN], announcement())
    await live.heard()
    for photo in (7, 8):
        assert (await log.insert(photo, [ANN], announcement())).feeds == 0
        assert (await log.remove(photo, [ANN], announcement())).feeds == 0
    assert await ids_of(log, ANN) == []
    assert await live.heard() == []


async def test_removal_below_the_window(log: WindowLog, live: Listener) -> None:
    """A photo older than the window that is removed is told to those online; who is away must read again."""
    await live.listen(ANN)
    await start(log, ANN, ids=tuple(range(100, 120)), complete=False)
    head = await log.head(ANN)
    assert head is not None
    await log.remove(50, [ANN], announcement())
    [heard] = await live.heard()
    assert await log.since(ANN, head.epoch, head.top) is None
    assert await log.since(ANN, head.epoch, heard.offset) == []
    assert await ids_of(log, ANN) == list(range(100, 120))


async def test_renewal_tells_again(log: WindowLog, live: Listener) -> None:
    """A renewed id is announced each time and recovered once, at its newest offset."""
    await live.listen(ANN)
    epoch, top = await log.open(ANN)
    for _ in range(2):
        for item in (5, 6):
            await log.renew(item, [ANN], announcement())
    heard = await live.heard()
    assert len(heard) == 4
    came = await log.since(ANN, epoch, top)
    assert came == [Entry(offset=heard[2].offset, id=5), Entry(offset=heard[3].offset, id=6)]


async def test_positions_that_cannot_be_told(log: WindowLog) -> None:
    """Another epoch, an offset from before the beginning or from the future, or no log at all: None."""
    assert await log.since(ANN, 1, 1) is None
    await start(log, ANN)
    await log.insert(7, [ANN], announcement())
    head = await log.head(ANN)
    assert head is not None
    assert await log.since(ANN, head.epoch, head.top) == []
    assert await log.since(ANN, head.epoch + 1, head.top) is None
    assert await log.since(ANN, head.epoch, head.floor - 1) is None
    assert await log.since(ANN, head.epoch, head.top + 1) is None


async def test_merge_is_contiguous_and_silent(log: WindowLog, live: Listener) -> None:
    """A new author's photos are merged unannounced, and only as far down as the log knows everything."""
    await live.listen(ANN, BOB)
    await start(log, ANN, ids=(100, 200), complete=False)
    await start(log, BOB, ids=(100, 200))
    for person in (ANN, BOB):
        await log.merge(person, [50, 100, 150, 250])
    assert await ids_of(log, ANN) == [100, 150, 200, 250]
    assert await ids_of(log, BOB) == [50, 100, 150, 200, 250]
    head = await log.head(ANN)
    assert head is not None
    assert await log.since(ANN, head.epoch, head.floor) == []
    assert await live.heard() == []


async def test_merge_beyond_the_window(log: WindowLog) -> None:
    """A merge that overflows keeps the newest and knows no longer what is older."""
    await start(log, ANN, ids=tuple(range(0, 40, 2)))
    await log.merge(ANN, list(range(1, 41, 2)))
    view = await log.read(ANN)
    assert view is not None
    assert ([entry.id for entry in view.entries], view.complete) == (list(range(20, 40)), False)


async def test_drop_takes_an_author_out(log: WindowLog) -> None:
    """An author's photos are taken out silently, and the position stays good for recovery."""
    await start(log, ANN, ids=(1, 2, 3))
    await log.insert(4, [ANN], announcement())
    await log.insert(5, [ANN], announcement())
    head = await log.head(ANN)
    assert head is not None
    await log.drop(ANN, [2, 4, 77])
    assert await ids_of(log, ANN) == [1, 3, 5]
    after = await log.head(ANN)
    assert after is not None
    assert (after.epoch, after.top, after.floor) == (head.epoch, head.top, head.floor)
    await log.drop(ANN, [1, 3, 5])
    await log.insert(6, [ANN], announcement())
    assert await ids_of(log, ANN) == [6]


async def test_building_loses_nothing(log: WindowLog) -> None:
    """What is announced or removed while a log is being filled is in it afterwards, and can be recovered."""
    building = await log.begin(ANN, anew=True)
    await log.insert(30, [ANN], announcement())
    await log.remove(10, [ANN], announcement())
    assert (await log.fill(ANN, building, [20, 10], complete=True))[0] is Filled.DONE
    assert await ids_of(log, ANN) == [20, 30]
    came = await log.since(ANN, building.epoch, building.epoch)
    assert came is not None
    assert [(entry.id, entry.removed) for entry in came] == [(30, False), (10, True)]


async def test_one_builder(log: WindowLog, redis: Any) -> None:
    """One of many who find no log builds it; after ten seconds without an end another may."""
    begun = await asyncio.gather(*(log.begin(ANN, anew=False) for _ in range(20)))
    assert [building.mine for building in begun].count(True) == 1
    assert len({building.epoch for building in begun}) == 1
    long_ago = (begun[0].epoch - 11_000_000).to_bytes(8, "big")
    await redis.setrange(log.key(ANN), AT_HEADER + 24, long_ago)
    again = await log.begin(ANN, anew=False)
    assert again.mine
    stale = await log.fill(ANN, begun[0], [1], complete=True)
    assert stale[0] is Filled.LOST
    assert (await log.fill(ANN, again, [2], complete=True))[0] is Filled.DONE
    assert await ids_of(log, ANN) == [2]
    assert not (await log.begin(ANN, anew=False)).mine


async def test_fill_is_refused_after_an_edit(log: WindowLog) -> None:
    """A follow or unfollow while a log is being filled makes the builder read the database again."""
    building = await log.begin(ANN, anew=True)
    await log.drop(ANN, [1])
    filled, building = await log.fill(ANN, building, [1, 2], complete=True)
    assert filled is Filled.CHANGED
    assert (await log.fill(ANN, building, [2], complete=True))[0] is Filled.DONE
    assert await ids_of(log, ANN) == [2]


async def test_another_epoch(log: WindowLog) -> None:
    """A log that is built anew has a later epoch, and offsets that go on growing."""
    await start(log, ANN, ids=(1,))
    await log.insert(2, [ANN], announcement())
    first = await log.head(ANN)
    await start(log, ANN, ids=(1, 2))
    second = await log.head(ANN)
    assert first is not None
    assert second is not None
    assert second.epoch > first.epoch
    assert second.top > first.top
    assert await log.since(ANN, first.epoch, first.top) is None


async def test_dead_process_is_forgotten(log: WindowLog, redis: Any, live: Listener) -> None:
    """A process that no longer listens is taken out of presence; people connected elsewhere stay online."""
    dead = Listener(redis, b"process0")
    await dead.listen(ANN, BOB)
    await live.listen(BOB)
    await dead.close()
    await start(log, ANN, BOB)
    await log.insert(7, [ANN, BOB], announcement())
    assert await redis.hgetall(b"online:{0}") == {BOB.to_bytes(8, "big"): b"process1"}
    assert [heard.people for heard in await live.heard()] == [[BOB]]


async def test_full_feed_is_small(redis: Any) -> None:
    """A full feed of 500 costs at most 10 KB while photos keep coming."""
    log, maker = WindowLog(redis, "feed", window=500), IdMaker()
    await start(log, ANN)
    await log.merge(ANN, [maker.new(1) for _ in range(500)])
    for _ in range(40):
        await log.insert(maker.new(1), [ANN], announcement())
        assert await redis.memory_usage(log.key(ANN)) <= 10_000
    assert 500 <= len(await entries(log, ANN)) <= 508


async def test_life(log: WindowLog, redis: Any) -> None:
    """Who is not seen for 14 days has no log; reading prolongs its life, insertions do not."""
    await start(log, ANN)
    await redis.expire(log.key(ANN), 100)
    for photo in range(1, 30):
        await log.insert(photo, [ANN], announcement())
    assert 0 < await redis.ttl(log.key(ANN)) <= 100
    await log.head(ANN)
    assert await redis.ttl(log.key(ANN)) > 13 * 86400


MIXED = ["insert"] * 6 + ["remove", "merge", "drop", "look"]
ARRIVING = ["insert"] * 30 + ["remove"] * 3 + ["look"] * 2 + ["drop"]


@pytest.mark.parametrize("acts", [MIXED, ARRIVING], ids=["mixed", "arriving"])
@pytest.mark.parametrize("window", [20, 70])
@pytest.mark.parametrize("seed", range(4))
async def test_random_walk(redis: Any, seed: int, window: int, acts: list[str]) -> None:
    """After any acts a log is the newest part of what a plain model holds, and recovery tells the model's news."""
    chance, log = random.Random(seed), WindowLog(redis, "feed", window=window)
    await start(log, ANN)
    head = await log.head(ANN)
    assert head is not None
    model: dict[int, bool] = {}  # id → whether it is removed
    news: list[tuple[int, int]] = []  # (time, id)
    since: tuple[int, int] = (head.top, 0)
    for step in range(6 * window):
        act = chance.choice(acts)
        if act == "insert":
            photo = chance.randrange(max(0, step - chance.choice([2, 15, 50])), step + 5)
            if (await log.insert(photo, [ANN], announcement())).feeds:
                model[photo] = False
                news.append((step, photo))
        elif act == "remove" and model:
            photo = chance.choice(sorted(model))
            if (await log.remove(photo, [ANN], announcement())).feeds:
                model[photo] = True
                news.append((step, photo))
        elif act == "merge":
            ids = chance.sample(range(step + 5), min(5, step + 5))
            await log.merge(ANN, ids)
            model |= {photo: model.get(photo, False) for photo in ids}
        elif act == "drop" and model:
            ids = chance.sample(sorted(model), min(3, len(model)))
            await log.drop(ANN, ids)
            model = {photo: removed for photo, removed in model.items() if photo not in ids}
            news = [(moment, photo) for moment, photo in news if photo not in ids]
        else:
            view = await log.read(ANN)
            assert view is not None
            since = (view.top, step)
        await _check(log, model, news, since)


async def _check(log: WindowLog, model: dict[int, bool], news: list[tuple[int, int]], since: tuple[int, int]) -> None:
    view = await log.read(ANN)
    assert view is not None
    there = {entry.id: entry.removed for entry in view.entries}
    lowest = min(there, default=max(model, default=0) + 1)
    expected = {photo: removed for photo, removed in model.items() if view.complete or photo >= lowest}
    assert there == expected
    assert len(there) <= log.capacity
    came = view.since(view.epoch, since[0])
    if came is not None:
        last = {photo: moment for moment, photo in news if moment >= since[1]}
        assert [entry.id for entry in came] == sorted(last, key=lambda photo: last[photo])


def test_a_list_without_end_has_ids() -> None:
    """An empty list that claims to go on is a mistake of the caller."""
    log = WindowLog(None, "feed")
    with pytest.raises(ValueError, match="at least one"):
        asyncio.run(log.fill(ANN, Building(epoch=1, mine=True, edits=0), [], complete=False))
