"""What operators learn about stars from Redis: which have their logs, and what feeds have pulled."""

from __future__ import annotations

from typing import Any

import pytest

from server.composition.delivery import delivery_script
from storage.feeds.star_logs import StarLogs, log_key
from storage.feeds.star_report import Pulls, StarReport
from storage.feeds.window_log import Filled, WindowLog
from storage.ids import SLOT_GROUPS, pack_ids, slot_group
from tests.support.driver_commands import commands
from tests.support.window_logs import ANN, BOB, DAN, ids_of

pytestmark = [pytest.mark.engines, pytest.mark.cluster]

FIRST, SECOND, THIRD, NONE = 4_000_001, 4_000_002, 4_000_003, 4_000_004


@pytest.fixture
def logs(redis: Any) -> StarLogs:
    """The logs of stars."""
    return StarLogs(redis, delivery_script(redis))


async def test_which_stars_have_all_their_logs(redis: Any, logs: StarLogs) -> None:
    """A star lacks one if the log or its head is missing in any slot group; others are found by their heads."""
    report = StarReport(redis)
    assert await report.complete([FIRST]) == set()
    assert await report.complete([]) == set()
    assert await report.logged() == set()
    for star in (FIRST, SECOND, THIRD):
        await logs.open(star)
    assert await report.complete([FIRST, SECOND, THIRD, NONE]) == {FIRST, SECOND, THIRD}
    assert await report.complete([FIRST, NONE]) == {FIRST}
    await commands(redis).delete(log_key(3, pack_ids([FIRST])))
    await commands(redis).hdel("starheads:{15}", pack_ids([SECOND]))
    assert await report.complete([FIRST, SECOND, THIRD]) == {THIRD}
    assert await report.logged() == {FIRST, SECOND, THIRD}
    await logs.close(FIRST)
    assert await report.logged() == {SECOND, THIRD}
    for group in range(SLOT_GROUPS):
        await commands(redis).delete(f"starheads:{{{group}}}")
    assert await report.complete([SECOND, THIRD]) == set()


async def test_pulls_are_counted_once(redis: Any, logs: StarLogs) -> None:
    """A read that pulls photos is a pull, in every slot group; one that finds nothing, or only a removal, is none."""
    report, feeds = StarReport(redis), WindowLog(redis, "feed", delivery_script(redis))
    assert slot_group(ANN) == slot_group(BOB) != slot_group(DAN)
    for star in (FIRST, SECOND):
        await logs.open(star)
    for user in (ANN, BOB, DAN):
        building = await feeds.begin(user)
        assert (await feeds.fill(user, building, [], complete=True, stars=[FIRST, SECOND]))[0] is Filled.DONE
        await ids_of(feeds, user)
    assert await report.take_pulls() == Pulls(pulls=0, photos=0)
    for photo, star in ((101, FIRST), (102, SECOND), (103, FIRST), (104, THIRD)):
        await logs.announce(star, photo, b"body")
    assert await report.take_pulls() == Pulls(pulls=0, photos=0)
    for user in (ANN, DAN, ANN, DAN):
        assert await ids_of(feeds, user) == [101, 102, 103]
    assert await report.take_pulls() == Pulls(pulls=2, photos=6)
    await logs.remove(FIRST, 103, b"body")
    for user in (ANN, BOB, BOB):
        assert await ids_of(feeds, user) == [101, 102]
    assert await report.take_pulls() == Pulls(pulls=1, photos=2)
    assert await report.take_pulls() == Pulls(pulls=0, photos=0)
