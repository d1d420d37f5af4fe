"""The readiness of a process, as the composition root connects its checks."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from server.composition.backends import open_stores
from server.composition.process import ProcessBuilder
from server.config.settings import Settings
from server.operation.metrics import Metrics
from tests.engines.private import free_port

pytestmark = pytest.mark.engines


async def test_a_process_without_its_object_store_is_ready(database_dsn: str, valkey_url: str, tmp_path: Path) -> None:
    """A store that does not answer is reported, but takes no process out of service."""
    settings = Settings().with_values("database", url=database_dsn).with_values("redis", url=valkey_url)
    for url, degraded in (
        (f"s3://photos?endpoint=http://127.0.0.1:{free_port()}", ["blobs"]),
        (f"file:{tmp_path}", []),
    ):
        chosen = settings.with_values("blobs", url=url, access_key="id", secret_key="secret")
        async with AsyncExitStack() as stack:
            stores = await stack.enter_async_context(open_stores(chosen))
            health = ProcessBuilder(chosen, stores, Metrics(), stack).node().health
            assert await health.failures() == {}
            assert list(await health.degradations()) == degraded
