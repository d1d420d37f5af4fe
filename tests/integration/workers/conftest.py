"""The workers on real stores, for the tests of what they do with events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from storage.blobs.file import FileBlobs
from storage.postgres.database import Database
from tests.support.stage import Stage


@pytest.fixture
async def stage(database: Database, redis: Any, tmp_path: Path) -> AsyncIterator[Stage]:
    """The workers, with chunks of three followers, so that a few are many."""
    stage = Stage(database, redis, chunk=3, blobs=FileBlobs(tmp_path))
    await stage.open()
    yield stage
    await stage.close()
