"""The database round trips of each use case are those in the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.use_cases import UseCases
from storage.redis.client import Redis
from tests.support.documents import table_rows


@pytest.mark.engines
async def test_each_use_case_takes_the_documented_round_trips(database_dsn: str, redis: Redis, tmp_path: Path) -> None:
    """Each use case sends as many statements as `docs/performance.md` says; one that needs more or fewer fails."""
    documented = {row[0]: int(row[1]) for row in table_rows("docs/performance.md", "Database round trips")}
    async with UseCases.open(database_dsn, redis, tmp_path) as use_cases:
        statements = await use_cases.count()
    counted = {name: len(sent) for name, sent in statements.items()}
    wrong = {name: sent for name, sent in statements.items() if documented.get(name) != len(sent)}
    assert counted == documented, wrong
