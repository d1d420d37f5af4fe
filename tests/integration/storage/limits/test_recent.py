"""Recent members in Redis: a sliding window in bounded space."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storage.limits.recent import RecentMembers
from tests.support.driver_commands import commands

pytestmark = [pytest.mark.engines, pytest.mark.cluster]

NOW = datetime(2027, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


async def test_different_members_within_the_window_count(redis: Any) -> None:
    """A member counts once, for as long as the window; other names and users have sets of their own."""
    recent = RecentMembers(redis)

    async def add(member: str, at: datetime, *, user_id: int = 5, name: str = "x") -> int:
        return await recent.add(user_id, name, member, at=at, window=HOUR, most=9)

    assert [await add(member, NOW) for member in ("a", "b", "a")] == [1, 2, 2]
    assert await add("c", NOW + 59 * MINUTE) == 3
    assert (await add("c", NOW, user_id=6), await add("c", NOW, name="y")) == (1, 1)
    # An event that is handled late does not bring its member back into the past.
    assert await add("c", NOW) == 3
    assert await add("d", NOW + 61 * MINUTE) == 2
    assert await recent.has(5, "x", "c", at=NOW + 61 * MINUTE, window=HOUR)
    assert not await recent.has(5, "x", "a", at=NOW + 61 * MINUTE, window=HOUR)
    assert not await recent.has(5, "x", "c", at=NOW + 119 * MINUTE, window=HOUR)
    assert not await recent.has(7, "x", "c", at=NOW, window=HOUR)


async def test_a_set_is_bounded(redis: Any) -> None:
    """Only so many members are kept, the newest, and the key expires with the window."""
    recent, driver = RecentMembers(redis), commands(redis)
    counts = [
        await recent.add(5, "x", str(number), at=NOW + number * MINUTE, window=HOUR, most=3) for number in range(9)
    ]
    assert counts == [1, 2, 3, 3, 3, 3, 3, 3, 3]
    (key,) = [each async for each in driver.scan_iter(b"recent:*")]
    assert await driver.zrange(key, 0, -1) == [b"6", b"7", b"8"]
    assert 3_500_000 < await driver.pttl(key) <= 3_600_000
