"""Abuse of the real API through the gateway: what is refused directly is refused behind it, too."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from storage.postgres.database import Database
from storage.redis.client import Redis
from tests.engines.nginx import Nginx, running_nginx
from tests.support.api import SECRET, Api, running_api, services_of, with_limits
from tests.support.gateways import plain_session
from tests.support.pictures import encoded, halves
from tests.support.raw_http import exchange, part, post_photo

pytestmark = pytest.mark.engines

ANONYMOUS = 4  # requests a minute
END = b"--b--\r\n"
WITHIN = 30.0  # seconds; what is late here is the machine


@pytest.fixture
def redis_url(real_redis_url: str) -> str:
    """One engine is enough here."""
    return real_redis_url


@pytest.fixture
async def api(database: Database, redis: Redis, short_dir: Path) -> AsyncIterator[Api]:
    """An API that trusts the gateway, and lets visitors send a few requests."""
    services = with_limits(services_of(database, redis, short_dir / "api"), anonymous=f"{ANONYMOUS}/m")
    settings = dataclasses.replace(services.settings, trusted_proxies=(ip_network("127.0.0.1"),))
    async with running_api(dataclasses.replace(services, settings=settings)) as api:
        yield api
    services.passwords.close()


@pytest.fixture
async def nginx(api: Api, short_dir: Path) -> AsyncIterator[Nginx]:
    """The gateway in front of it, which waits for a body only for a second."""
    changes = {"client_body_timeout 20s": "client_body_timeout 1s"}
    async with running_nginx(short_dir / "nginx", api=[api.port], secret=SECRET.decode(), changes=changes) as nginx:
        yield nginx


async def test_malformed_uploads_are_refused(api: Api, nginx: Nginx) -> None:
    """Ten thousand parts, a part's header of 1 MB, a body with bytes beyond its declared length."""
    ann = await api.user()
    parts = b"".join(part(f"f{number}", b"x") for number in range(10_000)) + END
    header = part("file", b"x", header="X-Long: " + "x" * 1_000_000 + "\r\n") + END
    form = part("file", encoded(halves())) + END
    requests = [
        (post_photo(ann.token, parts), 413),
        (post_photo(ann.token, header), 413),
        (post_photo(ann.token, form, declared=len(form) - 200), 400),
        (post_photo(ann.token, form), 201),
    ]
    responses = [(await exchange(nginx.port, request, within=WITHIN)).status for request, _ in requests]
    assert responses == [status for _, status in requests]


async def test_a_body_smaller_than_declared_never_reaches_the_api(api: Api, nginx: Nginx) -> None:
    """The gateway waits for the rest, and gives up."""
    ann = await api.user()
    form = part("file", encoded(halves())) + END
    request = post_photo(ann.token, form, declared=len(form) + 1000)
    with pytest.raises((EOFError, ConnectionResetError)):
        await exchange(nginx.port, request, within=WITHIN)
    assert (await ann.call("GET", f"/users/{ann.id}/photos")).expect(200)["items"] == []
    assert not api.services.settings.upload_dir.exists()  # it is made for the first body that arrives


async def test_the_api_counts_the_address_that_the_gateway_sees(nginx: Nginx) -> None:
    """A client that claims to forward for another address in each request stays within one limit of visitors."""
    statuses = []
    async with plain_session("127.0.0.9") as session:
        for number in range(ANONYMOUS + 2):
            headers = {"X-Forwarded-For": f"203.0.113.{number}, 198.51.100.{number}"}
            async with session.get(f"{nginx.url}/api/v1/photos", headers=headers) as response:
                statuses.append(response.status)
                policy = response.headers["RateLimit-Policy"]
    assert statuses == [200] * ANONYMOUS + [429] * 2
    assert policy.startswith('"anonymous"')
    async with plain_session("127.0.0.10") as other, other.get(f"{nginx.url}/api/v1/photos") as response:
        assert response.status == 200
