"""The yardstick for live delivery on real engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.delivery_floor import delivery_floor
from storage.embedded.postgres import embedded_postgres
from storage.embedded.valkey import embedded_valkey


@pytest.mark.engines
async def test_each_round_goes_through_both_engines_to_the_socket(tmp_path: Path) -> None:
    """As many delays as asked for come back, each longer than nothing and far below the deadline."""
    async with (
        embedded_postgres(tmp_path) as dsn,
        embedded_valkey(tmp_path) as redis_url,
        delivery_floor(dsn, redis_url) as floor,
    ):
        delays = await floor.delays(3, pause=0.0)
    assert len(delays) == 3
    assert all(0 < delay < 5000 for delay in delays)
