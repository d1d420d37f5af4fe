"""Window logs when Redis' clock has stepped back: a stored time in the future counts as the present."""

from __future__ import annotations

import re
from typing import Any

import pytest

from storage.feeds.log_format import AT_HEADER
from storage.feeds.window_log import Filled, WindowLog
from tests.support.driver_commands import commands
from tests.support.window_logs import ANN, edited, ids_of, now_of, set_edited, start

pytestmark = [pytest.mark.engines, pytest.mark.cluster]

AHEAD = 3600  # seconds


async def test_edit_in_the_future_is_bounded(log: WindowLog, redis: Any) -> None:
    """An edit in the future counts as recent, and is recorded as made now."""
    await start(log, ANN, ids=(1,))
    await set_edited(redis, log, ANN, await now_of(redis) + AHEAD)
    assert list((await log.insert(7, [ANN], b"body", min_age=5)).recently_edited) == [ANN]
    assert await edited(redis, log, ANN) <= await now_of(redis)
    assert await ids_of(log, ANN) == [1]


async def test_edit_is_recent_although_offsets_are_ahead(log: WindowLog, redis: Any) -> None:
    """The age of an edit is measured by the clock, not by an offset that is ahead of it."""
    await start(log, ANN, ids=(1, 2))
    top = (await now_of(redis) + AHEAD) * 1_000_000
    await commands(redis).setrange(log.key(ANN), AT_HEADER + 8, top.to_bytes(8, "big"))
    await log.drop(ANN, [2])
    assert list((await log.insert(7, [ANN], b"body", min_age=5)).recently_edited) == [ANN]


async def test_settled_log_although_its_epoch_is_ahead(log: WindowLog, redis: Any) -> None:
    """A log built before the clock stepped back needs no verification once it is old enough."""
    await start(log, ANN, ids=(1,))
    epoch = (await now_of(redis) + AHEAD) * 1_000_000
    await commands(redis).setrange(log.key(ANN), AT_HEADER + 24, epoch.to_bytes(8, "big"))
    await set_edited(redis, log, ANN, await now_of(redis) - 6)
    assert (await log.insert(7, [ANN], b"body", min_age=5)).feeds == 1


async def test_unfinished_build_is_replaced(log: WindowLog, redis: Any) -> None:
    """A build begun in the future is replaced after the usual deadline, and not when the clock has caught up."""
    begun = await log.begin(ANN)
    ahead = await now_of(redis) + AHEAD
    await commands(redis).setrange(log.key(ANN), AT_HEADER + 24, (ahead * 1_000_000).to_bytes(8, "big"))
    await set_edited(redis, log, ANN, ahead)
    assert not (await log.begin(ANN)).mine
    assert await edited(redis, log, ANN) <= await now_of(redis)
    await set_edited(redis, log, ANN, await now_of(redis) - 11)
    again = await log.begin(ANN)
    assert again.mine
    assert again.epoch > ahead * 1_000_000
    # The new epoch is ahead of the clock, too. Its builder is not replaced for that.
    assert not (await log.begin(ANN)).mine
    assert (await log.fill(ANN, begun, [1], complete=True))[0] is Filled.LOST
    assert (await log.fill(ANN, again, [2], complete=True))[0] is Filled.DONE


async def test_a_new_epoch_differs_while_the_clock_is_behind(log: WindowLog, redis: Any) -> None:
    """A log that begins again after a step back has another epoch: a client with the old one must fetch it again."""
    (tag,) = re.findall(rb"{\d+}", log.key(ANN))
    await commands(redis).set(b"clock:" + tag, (await now_of(redis) + AHEAD) * 1_000_000)
    epochs = []
    for _ in range(3):
        epochs.append((await log.begin(ANN)).epoch)
        await log.discard(ANN)
    assert epochs == sorted(set(epochs))
