"""Window logs: insertion, removal, publication and recovery."""

from __future__ import annotations

from typing import Any

import pytest

from storage.feeds.log_format import AT_HEADER, Entry
from storage.feeds.window_log import WindowLog
from tests.support.driver_commands import commands
from tests.support.listener import Listener
from tests.support.window_logs import ANN, BOB, CAT, DAN, entries, ids_of, since, start

pytestmark = [pytest.mark.engines, pytest.mark.cluster]


async def test_one_offset_for_all(log: WindowLog, live: Listener) -> None:
    """All users of a call get the same offset, and those online one message of their process."""
    await live.listen(ANN, CAT)
    await start(log, ANN, BOB, CAT)
    inserted = await log.insert(7, [ANN, BOB, CAT], b"photo 7")
    assert (inserted.feeds, inserted.online, inserted.messages) == (3, 2, 1)
    offsets = {(await entries(log, user))[0].offset for user in (ANN, BOB, CAT)}
    [message] = await live.received()
    assert (message.user_ids, message.body) == ([ANN, CAT], b"photo 7")
    assert offsets == {message.offset}


async def test_every_process_and_group_gets_a_message(log: WindowLog, redis: Any, live: Listener) -> None:
    """A user with two processes gets the message at both; users of another slot group get a message of their own."""
    other = Listener(redis, b"process2")
    await live.listen(ANN, DAN)
    await other.listen(ANN)
    await start(log, ANN, DAN)
    inserted = await log.insert(7, [ANN, DAN], b"body")
    assert (inserted.feeds, inserted.online, inserted.messages) == (2, 2, 3)
    assert sorted(message.user_ids for message in await live.received()) == [[ANN], [DAN]]
    assert [message.user_ids for message in await other.received()] == [[ANN]]
    await other.close()


async def test_offsets_grow_when_the_clock_steps_back(log: WindowLog, redis: Any) -> None:
    """An offset is greater than every offset in any of the logs, even if the clock steps back."""
    await start(log, ANN, BOB)
    future = (1 << 52).to_bytes(8, "big")
    await commands(redis).setrange(log.key(BOB), AT_HEADER + 8, future)
    await log.insert(7, [ANN, BOB], b"body")
    for user in (ANN, BOB):
        assert [entry.offset for entry in await entries(log, user)] == [(1 << 52) + 1]


async def test_offset_is_greater_than_equal_offsets(log: WindowLog, redis: Any) -> None:
    """An offset that reaches the newest one of a further log is increased again."""
    await start(log, ANN, BOB)
    for user, top in ((ANN, 1 << 52), (BOB, (1 << 52) + 1)):
        await commands(redis).setrange(log.key(user), AT_HEADER + 8, top.to_bytes(8, "big"))
    await log.insert(7, [ANN, BOB], b"body")
    for user in (ANN, BOB):
        assert [entry.offset for entry in await entries(log, user)] == [(1 << 52) + 2]


async def test_repeat_changes_and_publishes_nothing(log: WindowLog, live: Listener) -> None:
    """A chunk delivered again changes no log and publishes nothing, however old its id."""
    await live.listen(ANN)
    await start(log, ANN)
    for photo in (3, 5, 9):
        await log.insert(photo, [ANN], b"body")
    before = await entries(log, ANN)
    await live.received()
    for photo in (9, 5, 3):
        repeated = await log.insert(photo, [ANN], b"body")
        assert (repeated.feeds, repeated.online, repeated.messages) == (0, 0, 0)
    assert await entries(log, ANN) == before
    assert await live.received() == []


async def test_merged_entry_is_still_published(log: WindowLog, live: Listener) -> None:
    """An id merged by a follow or a rebuild before its own publication is published once, in its place."""
    await live.listen(ANN)
    await start(log, ANN, ids=(3, 5))
    await log.merge(ANN, [4])
    for _ in range(2):
        await log.insert(4, [ANN], b"photo 4")
    [message] = await live.received()
    assert [(entry.id, entry.offset) for entry in await entries(log, ANN)] == [(3, 0), (4, message.offset), (5, 0)]


async def test_insertion_creates_no_log(log: WindowLog, redis: Any, live: Listener) -> None:
    """An insertion creates no log, because older entries would be missing; online users still get the message."""
    await live.listen(ANN)
    inserted = await log.insert(7, [ANN, BOB], b"body")
    assert (inserted.feeds, inserted.online, inserted.messages) == (0, 1, 1)
    assert (await log.insert(7, [BOB], b"body")).messages == 0
    assert await commands(redis).exists(log.key(ANN), log.key(BOB)) == 0
    assert [message.user_ids for message in await live.received()] == [[ANN]]


async def test_entries_are_in_id_order(log: WindowLog) -> None:
    """A photo inserted late is in the place of its id, and is recovered in the order of its publication."""
    await start(log, ANN)
    for photo in (10, 30, 20):
        await log.insert(photo, [ANN], b"body")
    assert await ids_of(log, ANN) == [10, 20, 30]
    view = await log.read(ANN)
    assert view is not None
    came = view.since(view.epoch, view.floor)
    assert came is not None
    assert [entry.id for entry in came] == [10, 30, 20]


async def test_63_bits_are_kept(log: WindowLog) -> None:
    """Ids that differ only in bits that a double cannot hold stay distinct and in order."""
    high = (1 << 63) - 1
    ids = [high - 3, high - 1, high, high - 2, high - 1 - (1 << 32), 1 << 31, (1 << 32) + 1, 1 << 32]
    await start(log, ANN)
    for photo in ids:
        await log.insert(photo, [ANN], b"body")
    assert await ids_of(log, ANN) == sorted(ids)


async def test_window_is_trimmed(log: WindowLog) -> None:
    """A log keeps the newest entries, up to eight more than its window; trimmed ones cannot be recovered."""
    await start(log, ANN)
    head = await log.head(ANN)
    assert head is not None
    for photo in range(1, 51):
        await log.insert(photo, [ANN], b"body")
        count = len(await entries(log, ANN))
        assert count == photo if photo <= 20 else 20 <= count <= 28
    view = await log.read(ANN)
    assert view is not None
    assert not view.complete
    assert [entry.id for entry in view.entries] == list(range(51 - len(view.entries), 51))
    assert view.since(head.epoch, head.top) is None
    assert await since(log, ANN, view.epoch, view.floor) == list(view.entries)


@pytest.mark.parametrize("inserted", [20, 40])
@pytest.mark.parametrize("index", [0, 1, 7])
async def test_a_trimmed_entry_that_was_published_again_is_not_recovered_past(
    log: WindowLog, inserted: int, index: int
) -> None:
    """Each trimmed entry counts with its newest offset: a client from before it has missed something."""
    await start(log, ANN)
    for number in range(1, inserted + 1):
        await log.insert(number, [ANN], b"body")
    photo = (await ids_of(log, ANN))[index]
    before = await log.head(ANN)
    assert before is not None
    await log.republish(photo, [ANN], b"body")
    after = await log.head(ANN)
    assert after is not None
    number = inserted + 1
    while photo in await ids_of(log, ANN):
        await log.insert(number, [ANN], b"body")
        number += 1
    assert await since(log, ANN, before.epoch, before.top) is None
    recovered = await since(log, ANN, after.epoch, after.top)
    assert recovered is not None
    assert [entry.id for entry in recovered] == list(range(inserted + 1, number))


async def test_id_below_the_window_is_not_inserted(log: WindowLog, live: Listener) -> None:
    """A late photo below the lowest id is only published, and no offline client recovers past it."""
    await live.listen(ANN)
    await start(log, ANN, ids=tuple(range(100, 120)), complete=False)
    await log.insert(200, [ANN], b"body")
    before = await log.head(ANN)
    assert before is not None
    assert (await log.insert(50, [ANN], b"body")).online == 1
    assert await ids_of(log, ANN) == [*range(100, 120), 200]
    _, late = await live.received()
    assert await since(log, ANN, before.epoch, before.top) is None
    assert await since(log, ANN, before.epoch, late.offset) == []


@pytest.mark.parametrize("index", range(1, 12))
async def test_late_insertion_near_the_lowest_entry(log: WindowLog, index: int) -> None:
    """A late photo among the entries that the insertion itself trims leaves the newest entries, in order."""
    await start(log, ANN)
    for photo in range(10, 330, 10):
        await log.insert(photo, [ANN], b"body")
    before = await ids_of(log, ANN)
    assert len(before) == log.capacity  # ring and staging slots are full, so that the next insertion trims
    late = before[index] - 5
    assert (await log.insert(late, [ANN], b"body")).feeds == 1
    view = await log.read(ANN)
    assert view is not None
    kept = [entry.id for entry in view.entries]
    assert log.window <= len(kept) <= log.capacity
    assert kept == sorted([*before, late])[-len(kept) :]
    await log.insert(330, [ANN], b"body")
    assert (await ids_of(log, ANN))[-1] == 330


async def test_complete_log_takes_older_ids(log: WindowLog) -> None:
    """In a complete log a late photo becomes the oldest entry."""
    await start(log, ANN, ids=(100,))
    await log.insert(50, [ANN], b"body")
    assert await ids_of(log, ANN) == [50, 100]


async def test_removal_is_recovered(log: WindowLog, live: Listener) -> None:
    """A removed photo leaves the page; online users get the removal, and offline clients recover it."""
    await live.listen(ANN)
    await start(log, ANN)
    await log.insert(7, [ANN], b"body")
    await log.insert(8, [ANN], b"body")
    head = await log.head(ANN)
    assert head is not None
    assert (await log.remove(7, [ANN], b"gone")).feeds == 1
    assert await ids_of(log, ANN) == [8]
    came = await since(log, ANN, head.epoch, head.top)
    assert came is not None
    *_, message = await live.received()
    assert came == [Entry(offset=message.offset, id=7, removed=True)]
    assert message.body == b"gone"


async def test_removed_photo_never_returns(log: WindowLog, live: Listener) -> None:
    """An insertion after the removal changes nothing, even if the removal was the first to arrive."""
    await live.listen(ANN)
    await start(log, ANN)
    await log.insert(7, [ANN], b"body")
    await log.remove(7, [ANN], b"body")
    await log.remove(8, [ANN], b"body")
    await live.received()
    for photo in (7, 8):
        repeated = await log.insert(photo, [ANN], b"body")
        assert (repeated.feeds, repeated.online, repeated.messages) == (0, 0, 0)
        assert (await log.remove(photo, [ANN], b"body")).feeds == 0
    assert await ids_of(log, ANN) == []
    assert await live.received() == []


async def test_removal_below_the_window(log: WindowLog, live: Listener) -> None:
    """The removal of a photo below the window is published; offline clients must read again."""
    await live.listen(ANN)
    await start(log, ANN, ids=tuple(range(100, 120)), complete=False)
    head = await log.head(ANN)
    assert head is not None
    await log.remove(50, [ANN], b"body")
    [message] = await live.received()
    assert await since(log, ANN, head.epoch, head.top) is None
    assert await since(log, ANN, head.epoch, message.offset) == []
    assert await ids_of(log, ANN) == list(range(100, 120))


async def test_republication(log: WindowLog, live: Listener) -> None:
    """A republished id is published each time and recovered once, at its newest offset."""
    await live.listen(ANN)
    epoch, top = await log.open(ANN)
    for _ in range(2):
        for item in (5, 6):
            await log.republish(item, [ANN], b"body")
    messages = await live.received()
    assert len(messages) == 4
    came = await since(log, ANN, epoch, top)
    assert came == [Entry(offset=messages[2].offset, id=5), Entry(offset=messages[3].offset, id=6)]


async def test_unknown_positions(log: WindowLog) -> None:
    """Another epoch, an offset before the beginning or in the future, or a missing log give None."""
    assert await since(log, ANN, 1, 1) is None
    await start(log, ANN)
    await log.insert(7, [ANN], b"body")
    head = await log.head(ANN)
    assert head is not None
    assert await since(log, ANN, head.epoch, head.top) == []
    assert await since(log, ANN, head.epoch + 1, head.top) is None
    assert await since(log, ANN, head.epoch, head.floor - 1) is None
    assert await since(log, ANN, head.epoch, head.top + 1) is None


async def test_dead_process_is_removed(log: WindowLog, redis: Any, live: Listener) -> None:
    """A process without subscribers is removed from the registry; users connected elsewhere stay online."""
    dead = Listener(redis, b"process0")
    await dead.listen(ANN, BOB)
    await live.listen(BOB)
    await dead.close()
    await start(log, ANN, BOB)
    await log.insert(7, [ANN, BOB], b"body")
    assert await commands(redis).hgetall(b"online:{0}") == {BOB.to_bytes(8, "big"): b"process1"}
    assert [message.user_ids for message in await live.received()] == [[BOB]]
