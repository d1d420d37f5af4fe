"""The gateway and the API's own table: which requests are refused without a token."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from server.api.table import endpoints
from server.edge.endpoint import PREFIX, Auth
from storage.postgres.database import Database
from storage.redis.client import Redis
from tests.engines.nginx import UNLIMITED
from tests.support.api import services_of
from tests.support.gateways import running_gateway

pytestmark = pytest.mark.engines


@pytest.fixture
def redis_url(real_redis_url: str) -> str:
    """One engine is enough here."""
    return real_redis_url


# Requests that need a token, and that are left to PicShare all the same: rare ones, or next to paths that need none.
LEFT_TO_PICSHARE = re.compile(r"/api/v1/moderation/|^(GET|HEAD) /api/v1/webhooks/")


async def test_requests_that_need_a_token_are_refused_without_one(
    database: Database, redis: Redis, short_dir: Path
) -> None:
    """The gateway refuses only what PicShare refuses as well, and nearly all of it; with any token it refuses none."""
    services = services_of(database, redis, short_dir)
    refused, required = set(), set()
    async with running_gateway(short_dir / "nginx", changes=UNLIMITED) as gateway:
        for endpoint in endpoints(services):
            path = PREFIX + re.sub(r"\{\w+(:[^}]*)?\}", "x", endpoint.path)
            for method in ("GET", "HEAD") if endpoint.method == "GET" else (endpoint.method,):
                reply = await gateway.call(method, path, token=False)
                assert (reply.status, reply.by == "") in {(200, False), (401, True)}
                refused |= {f"{method} {path}"} if reply.status == 401 else set()
                required |= {f"{method} {path}"} if endpoint.auth is Auth.REQUIRED else set()
                assert (await gateway.call(method, path)).status == 200
    services.passwords.close()
    assert refused <= required
    assert sorted(item for item in required - refused if not LEFT_TO_PICSHARE.search(item)) == []
