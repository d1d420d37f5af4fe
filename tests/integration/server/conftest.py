"""Fixtures of the API's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.api.services import Services
from storage.postgres.database import Database
from storage.redis.client import Redis
from tests.support.api import Api, running_api, services_of


@pytest.fixture
def redis_url(real_redis_url: str) -> str:
    """One engine is enough here: the stores' own tests run on both."""
    return real_redis_url


@pytest.fixture
def services(database: Database, redis: Redis, tmp_path: Path) -> Services:
    """The API's services on fresh stores."""
    return services_of(database, redis, tmp_path)


@pytest.fixture
async def api(services: Services) -> AsyncIterator[Api]:
    """A running API on fresh stores."""
    async with running_api(services) as running:
        yield running
