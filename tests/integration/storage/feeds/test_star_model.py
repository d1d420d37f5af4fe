"""Feeds that pull from stars, and the database: full scrolls and recoveries compared with the truth."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.star_world import walk

pytestmark = [pytest.mark.engines, pytest.mark.cluster]


@pytest.mark.parametrize("seed", range(6))
async def test_pages_and_recoveries_have_what_the_database_has(redis: Any, seed: int) -> None:
    """After any steps each page has every photo once, and each recovery has every change or is refused."""
    tally = await walk(redis, seed, steps=150)
    assert tally.scrolled
    assert tally.recovered
