"""Redis with the shipped configuration; `tests/e2e/test_failover.py` runs that of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.administration.doctor import inspect_redis
from server.config.settings import Settings
from tests.engines.private import RedisNode, free_port

pytestmark = pytest.mark.engines


@pytest.fixture
def node(short_dir: Path) -> Iterator[RedisNode]:
    """A server."""
    node = RedisNode(short_dir, free_port(), shipped="redis.conf")
    node.start()
    yield node
    node.stop()


async def test_the_doctor_finds_no_problem(node: RedisNode) -> None:
    """It keeps what may not be evicted, and asks for a password."""
    finding = await inspect_redis(Settings().with_values("redis", url=node.url))
    assert finding.ok
    assert "eviction noeviction" in finding.detail
    without = f"redis://127.0.0.1:{node.port}"
    with pytest.raises(Exception, match=r"(?i)authentication required"):
        await inspect_redis(Settings().with_values("redis", url=without))
