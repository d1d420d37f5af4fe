"""Feeds that pull from stars, compared with a model of the database for as long as the soak lasts."""

from __future__ import annotations

import os
import random
import time

import pytest

from storage.redis.client import Redis
from tests.support.driver_commands import commands
from tests.support.star_world import walk

pytestmark = pytest.mark.engines

SECONDS = float(os.environ.get("SOAK_SECONDS", "1"))


async def test_pages_and_recoveries_from_random_seeds(redis: Redis) -> None:
    """After any steps each page has every photo once, and each recovery has every change or is refused."""
    first = random.randrange(1_000_000)
    deadline, seed = time.monotonic() + SECONDS, first
    scrolled = recovered = refused = 0
    while time.monotonic() < deadline:
        await commands(redis).flushall()
        print(f"seed {seed}")
        tally = await walk(redis, seed, steps=400)
        scrolled, recovered, refused = (
            scrolled + tally.scrolled,
            recovered + tally.recovered,
            refused + tally.refused,
        )
        seed += 1
    print(f"{seed - first} walks: {scrolled} ids on pages, {recovered} recoveries, {refused} refused")
    assert recovered
