"""The workers on real stores, for the tests of what they do with events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from storage.postgres.database import Database
from tests.support.stage import Stage


@pytest.fixture
async def stage(database: Database, redis: Any) -> AsyncIterator[Stage]:
    """The workers, with chunks of three followers, so that a few are many."""
    stage = Stage(database, redis, chunk=3)
    await stage.open()
    yield stage
    await stage.close()
