"""Fixtures of the API's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from storage.postgres.database import Database
from storage.redis.client import Redis
from tests.support.api import Api, InspectableServices, running_api, services_of


@pytest.fixture
def services(database: Database, redis: Redis, tmp_path: Path) -> Iterator[InspectableServices]:
    """The API's services on fresh stores."""
    services = services_of(database, redis, tmp_path)
    yield services
    services.passwords.close()


@pytest.fixture
async def api(services: InspectableServices) -> AsyncIterator[Api]:
    """A running API on fresh stores."""
    async with running_api(services) as running:
        yield running
