"""Recovery under faults: each device receives everything once, or learns that it has to refetch."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.soak.cluster import Cluster, cluster_in
from tests.soak.faults import ALL_FAULTS, SHORT_FAULTS
from tests.soak.report import Report
from tests.soak.soak import Plan, run_soak

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

SECONDS = float(os.environ.get("SOAK_SECONDS", "6"))
LONG = "SOAK_SECONDS" in os.environ
# All processes of one test run have to choose the same seed.
_RANDOM_SEED = str(random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID")).randrange(1_000_000))
SEEDS = [int(seed) for seed in os.environ.get("SOAK_SEED", _RANDOM_SEED if LONG else f"1,{_RANDOM_SEED}").split(",")]
# Every device recovers within 10 seconds; a machine that is busy with other tests gets twice as long.
WITHIN = float(os.environ.get("SOAK_WITHIN", "20"))
PLAN = Plan(
    seconds=SECONDS,
    faults=ALL_FAULTS if LONG else SHORT_FAULTS,
    users=6 if LONG else 4,
    devices=5 if LONG else 3,
    within=WITHIN,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(engines_dir: Path) -> AsyncIterator[Cluster]:
    """One cluster for all seeds; in long runs with RabbitMQ and a process for each role."""
    async with cluster_in(engines_dir / "soak", rabbitmq=LONG) as cluster:
        yield cluster


@pytest.mark.parametrize("seed", SEEDS)
async def test_recovery_without_gaps(cluster: Cluster, seed: int) -> None:
    """After random cuts, stalls, kills, drains and outages, every device shows exactly what the API returns."""
    report = Report(seed)
    try:
        await run_soak(cluster, report, PLAN)
    except BaseException:
        print(f"\nthe logs are in {cluster.keep_logs()}")
        raise
    finally:
        print(f"\n{report.text()}")
