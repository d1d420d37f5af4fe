"""The promise of recovery, tortured: whatever happens, each device gets everything once, or is told that it cannot."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.soak.acts import ALL, BRIEF
from tests.soak.cluster import Cluster, cluster_in
from tests.soak.tally import Tally
from tests.soak.torture import Plan, torture

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

SECONDS = float(os.environ.get("SOAK_SECONDS", "6"))
LONG = "SOAK_SECONDS" in os.environ
# All processes of one run have to draw the same.
_DRAWN = str(random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID")).randrange(1_000_000))
SEEDS = [int(seed) for seed in os.environ.get("SOAK_SEED", _DRAWN if LONG else f"1,{_DRAWN}").split(",")]
# Everybody is whole again within 10 seconds; a machine that is busy with other tests gets twice as long.
WITHIN = float(os.environ.get("SOAK_WITHIN", "20"))
PLAN = Plan(
    seconds=SECONDS, acts=ALL if LONG else BRIEF, people=6 if LONG else 4, devices=5 if LONG else 3, within=WITHIN
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(engines_dir: Path) -> AsyncIterator[Cluster]:
    """One cluster for all seeds; when there is time, with RabbitMQ and a process for each role."""
    async with cluster_in(engines_dir / "soak", rabbitmq=LONG) as cluster:
        yield cluster


@pytest.mark.parametrize("seed", SEEDS)
async def test_recovery_without_gaps(cluster: Cluster, seed: int) -> None:
    """Under random cuts, stalls, kills, drains and outages, every device ends with exactly what the API shows."""
    tally = Tally(seed)
    try:
        await torture(cluster, tally, PLAN)
    except BaseException:
        print(f"\nthe logs are in {cluster.keep_logs()}")
        raise
    finally:
        print(f"\n{tally.text()}")
